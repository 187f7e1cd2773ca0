#include "cancel.h"

#include <mutex>

#include "op.h"

namespace sopilka {
namespace {

// Room for every request that could run at once, many times over; a fixed table needs no
// lock to read.
constexpr int64_t kFlags = 4096;

struct Entry {
  std::atomic<int> flag{0};
  std::atomic<int64_t> handle{0};  // 0 while free.
};

struct Table {
  Entry entries[kFlags];
  std::mutex mutex;  // Guards taking and giving back, and `serial`.
  int64_t serial = 0;
};

Table& table() {
  static Table table;
  return table;
}

Entry* entry_of(int64_t handle) {
  if (handle <= 0) return nullptr;
  Entry* entry = &table().entries[handle % kFlags];
  return entry->handle.load(std::memory_order_acquire) == handle ? entry : nullptr;
}

}  // namespace

CancelFlag CancelFlag::find(int64_t handle) {
  if (handle == 0) return CancelFlag(nullptr);
  const Entry* entry = entry_of(handle);
  if (entry == nullptr)
    throw Error("input `cancel` holds " + std::to_string(handle) +
                ", which is not the handle of a living cancel flag");
  return CancelFlag(&entry->flag);
}

}  // namespace sopilka

// A new flag's handle, or 0 when 4096 flags are in use.
SOPILKA_EXPORT int64_t sopilka_cancel_flag_new() {
  using namespace sopilka;
  Table& flags = table();
  std::lock_guard<std::mutex> lock(flags.mutex);
  for (int64_t tried = 0; tried < kFlags; ++tried) {
    const int64_t handle =
        ++flags.serial;  // Serial numbers never return, so a stale handle finds nothing.
    Entry& entry = flags.entries[handle % kFlags];
    if (entry.handle.load(std::memory_order_relaxed) != 0) continue;
    entry.flag.store(0, std::memory_order_relaxed);
    entry.handle.store(handle, std::memory_order_release);
    return handle;
  }
  return 0;
}

// Returns 0, or 1 when the handle is not in use.
SOPILKA_EXPORT int sopilka_cancel_flag_set(int64_t handle, int value) {
  sopilka::Entry* entry = sopilka::entry_of(handle);
  if (entry == nullptr) return 1;
  entry->flag.store(value, std::memory_order_relaxed);
  return 0;
}

SOPILKA_EXPORT int sopilka_cancel_flag_free(int64_t handle) {
  using namespace sopilka;
  std::lock_guard<std::mutex> lock(table().mutex);
  Entry* entry = entry_of(handle);
  if (entry == nullptr) return 1;
  entry->handle.store(0, std::memory_order_release);
  return 0;
}
