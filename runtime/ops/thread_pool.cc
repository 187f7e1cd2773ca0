#include "thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#if !defined(_WIN32)
#include <unistd.h>
#endif
#if defined(__linux__)
#include <pthread.h>
#endif
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace sopilka {
namespace {

// Longer than the serial work between most operators of a layer, which so find the threads awake,
// and little beside the time for which an editor is idle. Watching for 200 makes the same model
// slower: who watches is not there for a neighbour's work, and pays for it later.
constexpr std::chrono::microseconds kWatch(20);
constexpr uint64_t kSeats = 0xffff;  // The part of `offer` that counts seats.

void relax() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
  __asm__ __volatile__("yield");
#endif
}

// Waits until the condition holds, but not longer than kWatch; returns whether it does.
template <class Condition>
bool watch(const Condition& holds) {
  if (holds()) return true;
  if (std::thread::hardware_concurrency() < 2) return false;  // Nobody else could make it true.
  const auto end = std::chrono::steady_clock::now() + kWatch;
  do {
    for (int i = 0; i < 8; ++i) relax();
    if (holds()) return true;
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

int64_t process() {
#if defined(_WIN32)
  return 1;  // Processes do not fork there.
#else
  return getpid();
#endif
}

}  // namespace

// One job at a time. `offer` is its serial number and, in its low bits, how many more threads may
// join: a thread joins by taking a seat, and the owner ends the job by taking all that are left. So
// a thread that wakes up too late finds no seat, and the owner waits for those that sat down only.
struct ThreadPool::State {
  std::mutex owner;  // Held by whoever runs a job.
  const std::function<void(size_t)>* task = nullptr;
  size_t total = 0;
  std::atomic<size_t> next{0};  // task to be taken
  std::atomic<uint64_t> offer{0};
  std::atomic<size_t> finished{0};  // threads that have left the job

  // Each side first says what it did, then looks whether the other one sleeps, or the reverse: in
  // sequentially consistent order one of them sees the other.
  std::mutex sleep;
  std::condition_variable offered, left;
  std::atomic<size_t> sleeping{0};
  std::atomic<bool> owner_sleeps{false}, stop{false};

  std::vector<std::thread> threads;
  int64_t started_by = 0;  // the process

  void take_tasks() {
    for (size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < total;) (*task)(i);
  }

  bool can_join(uint64_t done) const {
    const uint64_t now = offer.load();
    return stop.load() || ((now & kSeats) != 0 && now / (kSeats + 1) != done);
  }

  void work() {
#if defined(__linux__)
    pthread_setname_np(pthread_self(), "sopilka-ops");  // for whoever lists threads
#endif
    uint64_t done = 0;  // the job that this thread had last
    for (;;) {
      if (!watch([&] { return can_join(done); })) {
        std::unique_lock<std::mutex> lock(sleep);
        ++sleeping;
        offered.wait(lock, [&] { return can_join(done); });
        --sleeping;
      }
      if (stop.load()) return;
      uint64_t now = offer.load();
      if ((now & kSeats) == 0 || !offer.compare_exchange_strong(now, now - 1)) continue;
      done = now / (kSeats + 1);
      take_tasks();
      ++finished;
      if (owner_sleeps.load()) {
        {
          const std::lock_guard<std::mutex> lock(sleep);
        }
        left.notify_one();
      }
    }
  }

  // False in a child of the process whose threads they are.
  bool start(size_t count) {
    if (threads.empty()) started_by = process();
    if (started_by != process()) return false;
    try {
      while (threads.size() < count) threads.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      // The system has no more threads for us; those that there are will do.
    }
    return true;
  }

  void wake(size_t count) {
    if (sleeping.load() == 0) return;
    {
      const std::lock_guard<std::mutex> lock(sleep);
    }
    for (size_t i = 0; i < count; ++i) offered.notify_one();
  }

  void run(size_t count, const std::function<void(size_t)>& wanted, size_t helpers) {
    task = &wanted;
    total = count;
    next.store(0, std::memory_order_relaxed);
    finished.store(0);
    const uint64_t serial = offer.load() / (kSeats + 1) + 1;
    offer.store(serial * (kSeats + 1) + helpers);
    wake(helpers);
    take_tasks();
    const size_t joined = helpers - static_cast<size_t>(offer.fetch_and(~kSeats) & kSeats);
    const auto all_left = [&] { return finished.load() == joined; };
    if (watch(all_left)) return;
    std::unique_lock<std::mutex> lock(sleep);
    owner_sleeps = true;
    left.wait(lock, all_left);
    owner_sleeps = false;
  }
};

std::shared_ptr<ThreadPool> ThreadPool::of_process() {
  static std::mutex mutex;
  static std::weak_ptr<ThreadPool> pool;
  const std::lock_guard<std::mutex> lock(mutex);
  std::shared_ptr<ThreadPool> found = pool.lock();
  if (found == nullptr) pool = found = std::make_shared<ThreadPool>();
  return found;
}

ThreadPool::ThreadPool() : state_(new State) {}

ThreadPool::~ThreadPool() {
  if (!state_->threads.empty() && state_->started_by != process()) {
    // A forked child: the threads are not here, yet the locks may say that they wait.
    (void)state_.release();
    return;
  }
  {
    const std::lock_guard<std::mutex> lock(state_->sleep);
    state_->stop = true;
  }
  state_->offered.notify_all();
  for (std::thread& thread : state_->threads) thread.join();
}

void ThreadPool::run(size_t total, size_t threads, const std::function<void(size_t)>& task) {
  State& state = *state_;
  const size_t helpers = total == 0 ? 0 : std::min({total, threads, size_t{kSeats}}) - 1;
  if (helpers > 0 && state.owner.try_lock()) {
    const std::lock_guard<std::mutex> lock(state.owner, std::adopt_lock);
    if (state.start(helpers)) {
      state.run(total, task, std::min(helpers, state.threads.size()));
      return;
    }
  }
  for (size_t i = 0; i < total; ++i) task(i);
}

}  // namespace sopilka
