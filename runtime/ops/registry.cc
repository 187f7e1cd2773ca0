// The library's C surface: what ONNX Runtime calls when it loads the library, and what Python
// asks through ctypes.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

#include "cpu_path.h"
#include "op.h"

namespace sopilka {

Registration*& Registration::head() {
  static Registration* head =
      nullptr;  // A function's static, because other files' statics use it while loading.
  return head;
}

namespace {

constexpr const char* kThreadsOption = "sopilka.threads";
constexpr size_t kMaxThreads = 256;

// The runtime's table, or null and an explanation when the runtime is older than `wanted`.
const OrtApi* runtime_table(const OrtApiBase* base, uint32_t wanted, std::string* why) {
  const OrtApi* table = base->GetApi(wanted);
  if (table == nullptr) {
    *why = std::string("ONNX Runtime ") + base->GetVersionString() + " is too old, need >= 1." +
           std::to_string(wanted) + ": pip install -U onnxruntime";
  }
  return table;
}

// How many of our threads the session's operators may use; 0, as without the option, for the
// session's own.
size_t threads_of(const Api& api, const OrtSessionOptions* options) {
  int has = 0;
  check(api, api.has_option(options, kThreadsOption, &has));
  if (has == 0) return 0;
  char value[16] = "";
  size_t size = sizeof value;
  OrtStatus* status = api.option(options, kThreadsOption, value, &size);
  size_t threads = 0;
  if (status == nullptr) {
    char* end = nullptr;
    threads = std::strtoul(value, &end, 10);
    if (end == value || *end != '\0') threads = 0;
  } else {
    api.release_status(status);  // Too long for `value`, so no number that could be meant.
  }
  if (threads < 1 || threads > kMaxThreads) {
    throw Error(std::string("the session option `") + kThreadsOption +
                "` must be a number from 1 to " + std::to_string(kMaxThreads));
  }
  return threads;
}

// The operators for one number of threads. Sessions keep pointers to them, so they are never
// released.
OrtCustomOpDomain* new_domain(const Api& api, size_t threads) {
  OrtCustomOpDomain* domain = nullptr;
  check(api, api.create_domain("sopilka", &domain));
  for (const Registration* entry = Registration::first(); entry != nullptr; entry = entry->next())
    check(api, api.add_op(domain, new RegisteredOp{*entry->op(), threads}));
  return domain;
}

void register_all(const Api& api, OrtSessionOptions* options) {
  const size_t threads = threads_of(api, options);
  static std::mutex mutex;
  static std::map<size_t, OrtCustomOpDomain*> domains;
  const std::lock_guard<std::mutex> lock(mutex);
  OrtCustomOpDomain*& domain = domains[threads];
  if (domain == nullptr) domain = new_domain(api, threads);
  check(api, api.add_domain(options, domain));
}

int answer(const std::string& message, char* text, size_t size, int code) {
  if (size > 0) std::snprintf(text, size, "%s", message.c_str());
  return code;
}

}  // namespace
}  // namespace sopilka

SOPILKA_EXPORT OrtStatus* RegisterCustomOps(OrtSessionOptions* options, const OrtApiBase* base) {
  using namespace sopilka;
  std::string why;
  const OrtApi* table = runtime_table(base, kApiVersion, &why);
  if (table == nullptr) {
    // Version 1 is there in every runtime, and its CreateStatus can carry the message.
    return Api(base->GetApi(1)).create_status(kFail, why.c_str());
  }
  const Api api(table);
  return guarded(api, "sopilka", [&] { register_all(api, options); });
}

// Writes nothing and returns 0 if the runtime behind `base` has API version `wanted`, else 1
// and why not.
SOPILKA_EXPORT int sopilka_check_runtime(const OrtApiBase* base, uint32_t wanted, char* text,
                                         size_t size) {
  std::string why;
  if (sopilka::runtime_table(base, wanted, &why) != nullptr) return 0;
  return sopilka::answer(why, text, size, 1);
}

SOPILKA_EXPORT uint32_t sopilka_api_version() { return sopilka::kApiVersion; }
SOPILKA_EXPORT size_t sopilka_api_table_length() { return sopilka::kApiTableLength; }

// Fills `slots` (room for `size`) with the slots of the runtime's table in use; returns how
// many there are.
SOPILKA_EXPORT size_t sopilka_used_slots(uint32_t* slots, size_t size) {
  size_t count = 0;
  for (sopilka::Slot slot : sopilka::kUsedSlots) {
    if (count < size) slots[count] = static_cast<uint32_t>(slot);
    ++count;
  }
  return count;
}

SOPILKA_EXPORT const char* sopilka_version() { return SOPILKA_VERSION; }

// The kernel paths this CPU can run, separated by spaces, slowest first.
SOPILKA_EXPORT int sopilka_available_paths(char* text, size_t size) {
  std::string names;
  for (sopilka::CpuPath path : sopilka::available_paths())
    names += (names.empty() ? "" : " ") + std::string(sopilka::name(path));
  return sopilka::answer(names, text, size, 0);
}

// The path a session created now would take and 0, or an explanation and 1.
SOPILKA_EXPORT int sopilka_selected_path(char* text, size_t size) {
  try {
    return sopilka::answer(sopilka::name(sopilka::select_path()), text, size, 0);
  } catch (const std::exception& error) {
    return sopilka::answer(error.what(), text, size, 1);
  }
}
