// Flags by which another thread stops a running operator.
//
// A graph input carries a flag's handle as an integer, so a handle may be anything: it is an index
// with a serial number, never an address, and a stale or invented one is an error, not a crash.
#pragma once

#include <atomic>
#include <cstdint>

namespace sopilka {

class CancelFlag {
 public:
  // Handle 0 is "no flag": never set. Throws Error for a handle that is not in use.
  static CancelFlag find(int64_t handle);
  bool is_set() const noexcept {
    return flag_ != nullptr && flag_->load(std::memory_order_relaxed) != 0;
  }

 private:
  explicit CancelFlag(const std::atomic<int>* flag) : flag_(flag) {}
  const std::atomic<int>* flag_;
};

}  // namespace sopilka
