// The thread that executes a handle's batches, one after the other, in the order they came. Knows nothing of
// JavaScript.
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
  void* owner = nullptr;  ///< keeps the bytes of `requests` alive; null where they are in `copy`
  void* space = nullptr;  ///< where the reply shall go, if it fits
  netlink::Bytes copy;
  ipvs::ReplyWriter reply;
};

/// A list of jobs, first in first out.
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
  /// `answered` is called on the worker's thread when jobs are done and none were before.
  Worker(ipvs::Client& client, void (*answered)(void*), void* context);
  ~Worker();

  /// Appends a job; starts the thread at the first one. 0 or a negative errno.
  int push(std::unique_ptr<Job> job);

  /// Takes the jobs that are done.
  void takeDone(JobList& jobs);

  /// Executes on the calling thread, after everything that was pushed before.
  void executeHere(netlink::ByteView requests, std::uint32_t count, ipvs::ReplyWriter& reply,
                   std::uint32_t batch = 0);

  /// Ends the thread: after the send under way, leaving what waits.
  void stop();

 private:
  static void* run(void* context);

  ipvs::Client& client_;
  void (*answered_)(void*);
  void* context_;
  netlink::Thread thread_;
  std::atomic<bool> stopping_ = false;

  void sleepUntilThereIsWork();
  void wake();

  // Held for a few instructions only. Sleeping goes by the counter below: a condition variable would cost one
  // system call more for each job.
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  JobList waiting_;
  JobList done_;

  std::atomic<std::uint32_t> pushed_ = 0;  ///< a futex: changes with every reason to wake up
  std::atomic<bool> sleeping_ = false;
  std::atomic<std::uint32_t> idle_ = 1;  ///< a futex: 1 while nothing waits and nothing is executed
  std::atomic<bool> idleIsAwaited_ = false;
};

}  // namespace node_ipvs
