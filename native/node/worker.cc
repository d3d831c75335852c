#include "worker.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <utility>

namespace node_ipvs {

namespace {

// Sleeps while the futex has this value. May return early.
void futexWait(std::atomic<std::uint32_t>& futex, std::uint32_t value) {
  syscall(SYS_futex, &futex, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

void futexWake(std::atomic<std::uint32_t>& futex) {
  syscall(SYS_futex, &futex, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

// In nanoseconds: how long the calling thread waits for the answer to a short job, and how long the worker
// waits for the next job, before they fall asleep. Falling asleep and being woken takes each of them 10 to 25
// microseconds if its processor goes idle meanwhile. The calling thread waits less, because it has an event
// loop to serve.
constexpr std::int64_t longestWaitForAnswer = 20'000;
constexpr std::int64_t longestWaitForJob = 50'000;

// How many waits are left out after one that was in vain, because the other thread has something else to do.
constexpr int leftOut = 10;

// Waits for a condition without sleeping. Returns whether it holds.
template <class Condition>
bool poll(int& skip, std::int64_t longest, Condition condition) {
  if (skip > 0) {
    --skip;
    return false;
  }
  auto nanoseconds = [] {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
  };
  std::int64_t end = nanoseconds() + longest;
  while (!condition()) {
    if (nanoseconds() < end) continue;
    skip = leftOut;
    return false;
  }
  return true;
}

// Whether the calling thread, and every thread that it starts, has only one processor to run on.
bool hasOneProcessor() {
  cpu_set_t processors;
  // Fails where there are more than 1024 processors.
  return sched_getaffinity(0, sizeof processors, &processors) == 0 && CPU_COUNT(&processors) == 1;
}

}  // namespace

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
  pthread_mutex_destroy(&mutex_);
}

int Worker::push(std::unique_ptr<Job> job) {
  if (!thread_.running()) {
    oneProcessor_ = hasOneProcessor();
    if (int error = thread_.start("ipvs", run, this)) return error;
  }
  pthread_mutex_lock(&mutex_);
  waiting_.push(std::move(job));
  idle_ = 0;
  told_ = false;
  // On some machines this is a system call, and with one processor it tells nothing.
  if (!oneProcessor_) callersProcessor_ = sched_getcpu();
  pthread_mutex_unlock(&mutex_);
  wake();
  return 0;
}

// Makes the system call only if the worker sleeps. A busy worker looks for more work by itself.
void Worker::wake() {
  ++pushed_;
  if (sleeping_.exchange(false)) futexWake(pushed_);
}

void Worker::letRun() {
  if (told_) return;
  if (oneProcessor_) {
    sched_yield();
  } else if (workersProcessor_ != callersProcessor_) {
    poll(skippedAnswers_, longestWaitForAnswer, [this] { return told_.load(); });
  }
}

// Called on the worker's thread when it finds no job. Reads the counter before it looks again, so that a push
// in between ends the sleep at once.
void Worker::sleepUntilThereIsWork() {
  std::uint32_t seen = pushed_;
  pthread_mutex_lock(&mutex_);
  bool work = !waiting_.empty();
  pthread_mutex_unlock(&mutex_);
  if (work) return;
  // On the caller's processor, waiting would keep the caller from running.
  bool apart = !oneProcessor_ && sched_getcpu() != callersProcessor_;
  if (apart && poll(skippedJobs_, longestWaitForJob, [&] { return pushed_ != seen || stopping_; })) return;
  sleeping_ = true;
  if (!stopping_) futexWait(pushed_, seen);
  sleeping_ = false;
}

void Worker::takeDone(JobList& jobs) {
  pthread_mutex_lock(&mutex_);
  jobs.swap(done_);
  pthread_mutex_unlock(&mutex_);
}

void Worker::executeHere(netlink::ByteView requests, std::uint32_t count, ipvs::ReplyWriter& reply,
                         std::uint32_t batch) {
  while (!idle_) {
    idleIsAwaited_ = true;
    futexWait(idle_, 0);
  }
  // The worker stays idle, because only this thread pushes jobs.
  client_.execute(requests, count, reply, stopping_, batch);
}

void Worker::stop() {
  if (!thread_.running()) return;
  stopping_ = true;
  wake();
  thread_.join();
}

void* Worker::run(void* context) {
  auto& worker = *static_cast<Worker*>(context);
  while (!worker.stopping_) {
    pthread_mutex_lock(&worker.mutex_);
    std::unique_ptr<Job> job = worker.waiting_.pop();
    pthread_mutex_unlock(&worker.mutex_);
    if (!job) {
      worker.sleepUntilThereIsWork();
      continue;
    }

    if (!worker.oneProcessor_) worker.workersProcessor_ = sched_getcpu();
    worker.client_.execute(job->requests, job->count, job->reply, worker.stopping_, job->batch);

    pthread_mutex_lock(&worker.mutex_);
    bool first = worker.done_.empty();
    worker.done_.push(std::move(job));
    bool idle = worker.waiting_.empty();
    if (idle) worker.idle_ = 1;
    pthread_mutex_unlock(&worker.mutex_);
    if (first) worker.answered_(worker.context_);
    worker.told_ = true;
    if (idle && worker.idleIsAwaited_.exchange(false)) futexWake(worker.idle_);
  }
  return nullptr;
}

}  // namespace node_ipvs
