#include "node/worker.h"

#include <sched.h>
#include <unistd.h>

#include "check.h"
#include "pack.h"
#include "script.h"

using namespace node_ipvs;

namespace {

// A worker on a scripted kernel that acknowledges everything.
struct Fixture {
  script::Transport transport;
  ipvs::Client client{transport, transport, {1 << 20, 1 << 20}};
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
  int calls = 0;
  std::atomic<bool> waiting = false;
  Worker worker{client, answered, this};

  Fixture() {
    transport.onSend = [this](const script::Transport::Sent& sent) {
      transport.queue(script::answer(sent.messages.back().header.nlmsg_seq, 0));
      return 0;
    };
  }

  // Makes it a kernel that answers nothing. What waits for an answer waits until the worker is stopped.
  void answersNothing() {
    transport.onSend = nullptr;
    transport.onWait = [this](const std::atomic<bool>& abandon) {
      waiting = true;
      waiting.notify_one();
      while (!abandon) sched_yield();
      return -ECANCELED;
    };
  }

  static void answered(void* context) {
    auto& self = *static_cast<Fixture*>(context);
    pthread_mutex_lock(&self.mutex);
    ++self.calls;
    pthread_cond_signal(&self.condition);
    pthread_mutex_unlock(&self.mutex);
  }

  static std::unique_ptr<Job> jobOf(const pack::Batch& batch, std::uint32_t requests) {
    auto job = std::make_unique<Job>();
    job->copy.resize(batch.bytes.size());
    std::memcpy(job->copy.data(), batch.bytes.data(), batch.bytes.size());
    job->requests = job->copy.view();
    job->count = requests;
    return job;
  }

  // A job of changes, which are answered while they are sent.
  std::unique_ptr<Job> job(std::uint32_t requests) {
    pack::Batch batch;
    for (std::uint32_t i = 0; i < requests; ++i) batch.plain(IPVS_CMD_FLUSH);
    return jobOf(batch, requests);
  }

  // A job that waits for its answer.
  static std::unique_ptr<Job> reading() {
    pack::Batch batch;
    batch.plain(IPVS_CMD_GET_INFO);
    return jobOf(batch, 1);
  }

  // Waits for `count` finished jobs and returns their numbers of requests.
  std::string done(int count) {
    std::string text;
    while (count > 0) {
      JobList jobs;
      worker.takeDone(jobs);
      while (auto job = jobs.pop()) {
        text += std::to_string(job->count) + " ";
        --count;
      }
      if (count == 0) break;
      pthread_mutex_lock(&mutex);
      while (calls == 0) pthread_cond_wait(&condition, &mutex);
      calls = 0;
      pthread_mutex_unlock(&mutex);
    }
    return text;
  }
};

}  // namespace

TEST("a worker answers its jobs in the order they came") {
  Fixture fixture;
  for (std::uint32_t i = 1; i <= 20; ++i) CHECK_EQUAL(fixture.worker.push(fixture.job(i)), 0);
  CHECK_EQUAL(fixture.done(20), "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 ");
}

TEST("what is executed on the calling thread comes after what was queued") {
  Fixture fixture;
  for (std::uint32_t i = 1; i <= 5; ++i) fixture.worker.push(fixture.job(i));
  auto last = fixture.job(100);
  ipvs::ReplyWriter reply;
  fixture.worker.executeHere(last->requests, last->count, reply);
  CHECK(reply.bytes().empty());
  CHECK_EQUAL(fixture.transport.sent.size(), 6u);
  CHECK_EQUAL(fixture.transport.sent.back().messages.size(), 100u);
  CHECK_EQUAL(fixture.done(5), "1 2 3 4 5 ");
}

TEST("a worker that waits for an answer is stopped in the middle of it, and leaves what waits") {
  Fixture fixture;
  fixture.answersNothing();
  CHECK_EQUAL(fixture.worker.push(Fixture::reading()), 0);
  for (std::uint32_t i = 2; i <= 50; ++i) CHECK_EQUAL(fixture.worker.push(fixture.job(i)), 0);
  fixture.waiting.wait(false);
  fixture.worker.stop();
  fixture.worker.stop();
  CHECK_EQUAL(fixture.transport.sent.size(), 1u);
  JobList jobs;
  fixture.worker.takeDone(jobs);
  CHECK_EQUAL(pack::outcomes(jobs.pop()->reply.bytes().view()), "unknown(125)");
  CHECK(jobs.empty());
}

TEST("a worker without jobs has no thread to end") {
  Fixture fixture;
  ipvs::ReplyWriter reply;
  auto job = fixture.job(1);
  fixture.worker.executeHere(job->requests, 1, reply);
  CHECK_EQUAL(fixture.transport.sent.size(), 1u);
}

TEST("a worker that is let run answers every job once, on several processors and on one") {
  cpu_set_t all, one;
  CHECK_EQUAL(sched_getaffinity(0, sizeof all, &all), 0);
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  for (const cpu_set_t& processors : {all, one}) {
    CHECK_EQUAL(sched_setaffinity(0, sizeof processors, &processors), 0);
    Fixture fixture;
    for (int i = 0; i < 1000; ++i) {
      fixture.worker.push(fixture.job(1));
      fixture.worker.letRun();
      CHECK_EQUAL(fixture.done(1), "1 ");
    }
    CHECK_EQUAL(fixture.transport.sent.size(), 1000u);
  }
  CHECK_EQUAL(sched_setaffinity(0, sizeof all, &all), 0);
}

TEST("a worker sleeps after a job, wakes for the next one, and ends while it waits for one") {
  Fixture fixture;
  for (int i = 0; i < 20; ++i) {
    fixture.worker.push(fixture.job(1));
    CHECK_EQUAL(fixture.done(1), "1 ");
    // Every second pause is longer than the worker waits before it falls asleep.
    usleep(i % 2 ? 500 : 0);
  }
  fixture.worker.stop();
}
