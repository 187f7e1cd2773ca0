// The operators' own threads, shared by all sessions of the process.
//
// Why not the runtime's: its threads either sleep between two operators, and waking one costs as
// much as a small operator, or spin all the time, and take a core from the editor. Ours watch for
// work for some microseconds, then sleep; and whoever comes first takes the next task, so that a
// thread that lost its core to a neighbour holds up the task at hand and no more.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace sopilka {

class ThreadPool {
 public:
  // The pool of this process: made by the first that asks, and gone, with its threads, when the
  // last one has let go of it. Never a thread of it runs while the library is unloaded.
  static std::shared_ptr<ThreadPool> of_process();

  ThreadPool();
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Calls task(i) for every i < total, on this thread and up to threads - 1 others, and returns
  // when all are done; tasks must not throw. Threads are started when they are first needed.
  //
  // Does everything on this thread if the pool is at work for another one, if no thread can be
  // started, and in a child of the process that started them, where they do not exist.
  void run(size_t total, size_t threads, const std::function<void(size_t)>& task);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// How many threads a session's operators use; without a pool they use the runtime's.
struct Threads {
  std::shared_ptr<ThreadPool> pool;
  size_t count = 0;
};

}  // namespace sopilka
