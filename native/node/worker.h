// The thread that executes a handle's batches one by one, in order. Does not depend on JavaScript.
#pragma once

#include <pthread.h>

#include <atomic>
#include <memory>

#include "ipvs/client.h"
#include "netlink/thread.h"

namespace node_ipvs {

/// A batch on its way through the worker.
struct Job {
  Job* next = nullptr;
  netlink::ByteView requests;
  std::uint32_t count = 0;
  std::uint32_t batch = 0;  ///< as in `Client::execute`
  void* owner = nullptr;    ///< keeps the bytes of `requests` alive; null if they are in `copy`
  void* space = nullptr;    ///< the buffer for the reply, if it fits
  netlink::Bytes copy;
  ipvs::ReplyWriter reply;
};

/// A first-in, first-out list of jobs.
class JobList {
 public:
  ~JobList();
  JobList() = default;
  JobList(const JobList&) = delete;
  JobList& operator=(const JobList&) = delete;

  bool empty() const { return !first_; }
  void push(std::unique_ptr<Job> job);
  std::unique_ptr<Job> pop();
  void swap(JobList& other);

 private:
  Job* first_ = nullptr;
  Job** end_ = &first_;
};

class Worker {
 public:
  /// Calls `answered` on the worker's thread when the list of finished jobs becomes non-empty.
  Worker(ipvs::Client& client, void (*answered)(void*), void* context);
  ~Worker();

  /// Appends a job. The first one starts the thread. Returns 0 or a negative errno.
  int push(std::unique_ptr<Job> job);

  /// Waits a few microseconds for the job that was pushed last, so that the calling thread need not fall
  /// asleep in its event loop and be woken. If there is only one processor, gives way to the worker once
  /// instead. Does nothing if both threads share one of several processors. The answer may still be missing
  /// when this returns.
  void letRun();

  /// Takes the finished jobs.
  void takeDone(JobList& jobs);

  /// Executes on the calling thread, after all jobs pushed before.
  void executeHere(netlink::ByteView requests, std::uint32_t count, ipvs::ReplyWriter& reply,
                   std::uint32_t batch = 0);

  /// Ends the thread after the current send. Waiting jobs are not executed.
  void stop();

 private:
  static void* run(void* context);

  ipvs::Client& client_;
  void (*answered_)(void*);
  void* context_;
  netlink::Thread thread_;
  std::atomic<bool> stopping_ = false;
  bool oneProcessor_ = false;  ///< known when the thread starts
  std::atomic<int> callersProcessor_ = -1;   ///< where the last job was pushed; -1 where there is only one
  std::atomic<int> workersProcessor_ = -1;   ///< where the last job was executed
  int skippedAnswers_ = 0;                   ///< how many waits for an answer are still to be left out
  int skippedJobs_ = 0;                      ///< the same for the worker's waits for a job
  std::atomic<bool> told_ = false;  ///< whether `answered` was called for the last job

  void sleepUntilThereIsWork();
  void wake();

  // Held for a few instructions only. The worker sleeps on the counter below, because a condition variable
  // would cost another system call per job.
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  JobList waiting_;
  JobList done_;

  std::atomic<std::uint32_t> pushed_ = 0;  ///< a futex that changes whenever the worker should wake up
  std::atomic<bool> sleeping_ = false;
  std::atomic<std::uint32_t> idle_ = 1;  ///< a futex: 1 while no job waits or executes
  std::atomic<bool> idleIsAwaited_ = false;
};

}  // namespace node_ipvs
