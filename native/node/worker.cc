#include "worker.h"

#include <utility>

namespace node_ipvs {

JobList::~JobList() {
  while (pop()) {
  }
}

void JobList::push(std::unique_ptr<Job> job) {
  *end_ = job.release();
  end_ = &(*end_)->next;
}

std::unique_ptr<Job> JobList::pop() {
  std::unique_ptr<Job> job(first_);
  if (!job) return job;
  first_ = std::exchange(job->next, nullptr);
  if (!first_) end_ = &first_;
  return job;
}

void JobList::swap(JobList& other) {
  std::swap(first_, other.first_);
  std::swap(end_, other.end_);
  if (!first_) end_ = &first_;
  if (!other.first_) other.end_ = &other.first_;
}

Worker::Worker(ipvs::Client& client, void (*answered)(void*), void* context)
    : client_(client), answered_(answered), context_(context) {}

Worker::~Worker() {
  stop();
  pthread_cond_destroy(&wake_);
  pthread_cond_destroy(&idle_);
  pthread_mutex_destroy(&mutex_);
}

int Worker::push(std::unique_ptr<Job> job) {
  if (!thread_.running()) {
    if (int error = thread_.start("ipvs", run, this)) return error;
  }
  pthread_mutex_lock(&mutex_);
  // A worker that is busy looks for more by itself: waking it would be a system call for nothing.
  bool sleeping = waiting_.empty() && !executing_;
  waiting_.push(std::move(job));
  pthread_mutex_unlock(&mutex_);
  if (sleeping) pthread_cond_signal(&wake_);
  return 0;
}

void Worker::takeDone(JobList& jobs) {
  pthread_mutex_lock(&mutex_);
  jobs.swap(done_);
  pthread_mutex_unlock(&mutex_);
}

void Worker::executeHere(netlink::ByteView requests, std::uint32_t count, ipvs::ReplyWriter& reply) {
  if (thread_.running()) {
    pthread_mutex_lock(&mutex_);
    while (executing_ || !waiting_.empty()) {
      someoneWaitsForIdle_ = true;
      pthread_cond_wait(&idle_, &mutex_);
    }
    pthread_mutex_unlock(&mutex_);
  }
  // Only this thread pushes, so the worker stays idle.
  client_.execute(requests, count, reply, stopping_);
}

void Worker::stop() {
  if (!thread_.running()) return;
  pthread_mutex_lock(&mutex_);
  stopping_ = true;
  pthread_mutex_unlock(&mutex_);
  pthread_cond_signal(&wake_);
  thread_.join();
}

void* Worker::run(void* context) {
  auto& worker = *static_cast<Worker*>(context);
  pthread_mutex_lock(&worker.mutex_);
  for (;;) {
    while (worker.waiting_.empty() && !worker.stopping_) pthread_cond_wait(&worker.wake_, &worker.mutex_);
    if (worker.stopping_) break;
    std::unique_ptr<Job> job = worker.waiting_.pop();
    worker.executing_ = true;
    pthread_mutex_unlock(&worker.mutex_);

    worker.client_.execute(job->requests, job->count, job->reply, worker.stopping_);

    pthread_mutex_lock(&worker.mutex_);
    worker.executing_ = false;
    bool first = worker.done_.empty();
    worker.done_.push(std::move(job));
    bool tellIdle = worker.someoneWaitsForIdle_ && worker.waiting_.empty();
    if (tellIdle) worker.someoneWaitsForIdle_ = false;
    if (first || tellIdle) {
      pthread_mutex_unlock(&worker.mutex_);
      if (first) worker.answered_(worker.context_);
      if (tellIdle) pthread_cond_signal(&worker.idle_);
      pthread_mutex_lock(&worker.mutex_);
    }
  }
  pthread_mutex_unlock(&worker.mutex_);
  return nullptr;
}

}  // namespace node_ipvs
