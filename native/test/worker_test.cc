#include "node/worker.h"

#include <sched.h>

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
  Worker worker{client, answered, this};

  Fixture() {
    transport.onSend = [this](const script::Transport::Sent& sent) {
      transport.queue(script::answer(sent.messages.back().header.nlmsg_seq, 0));
      return 0;
    };
  }

  static void answered(void* context) {
    auto& self = *static_cast<Fixture*>(context);
    pthread_mutex_lock(&self.mutex);
    ++self.calls;
    pthread_cond_signal(&self.condition);
    pthread_mutex_unlock(&self.mutex);
  }

  std::unique_ptr<Job> job(std::uint32_t requests) {
    auto job = std::make_unique<Job>();
    pack::Batch batch;
    for (std::uint32_t i = 0; i < requests; ++i) batch.plain(IPVS_CMD_FLUSH);
    job->copy.resize(batch.bytes.size());
    std::memcpy(job->copy.data(), batch.bytes.data(), batch.bytes.size());
    job->requests = job->copy.view();
    job->count = requests;
    return job;
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

TEST("a worker that is stopped leaves what waits") {
  Fixture fixture;
  for (std::uint32_t i = 1; i <= 50; ++i) fixture.worker.push(fixture.job(i));
  fixture.worker.stop();
  fixture.worker.stop();
}

TEST("a worker that waits for an answer is stopped in the middle of it") {
  Fixture fixture;
  std::atomic<bool> waiting = false;
  fixture.transport.onSend = nullptr;
  fixture.transport.onWait = [&](const std::atomic<bool>& abandon) {
    waiting = true;
    waiting.notify_one();
    while (!abandon) sched_yield();
    return -ECANCELED;
  };
  auto job = std::make_unique<Job>();
  pack::Batch batch;
  batch.plain(IPVS_CMD_GET_INFO);
  job->requests = batch.bytes;
  job->count = 1;
  CHECK_EQUAL(fixture.worker.push(std::move(job)), 0);
  waiting.wait(false);
  fixture.worker.stop();
  JobList jobs;
  fixture.worker.takeDone(jobs);
  CHECK_EQUAL(pack::outcomes(jobs.pop()->reply.bytes().view()), "unknown(125)");
}

TEST("a worker without jobs has no thread to end") {
  Fixture fixture;
  ipvs::ReplyWriter reply;
  auto job = fixture.job(1);
  fixture.worker.executeHere(job->requests, 1, reply);
  CHECK_EQUAL(fixture.transport.sent.size(), 1u);
}
