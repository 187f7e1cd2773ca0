// What an operator needs of ONNX Runtime, in C++ words: attributes, tensors, errors.
//
// Inside the library errors are exceptions; `guarded` turns them into statuses where the runtime
// calls us. Code that runs on the thread pool must not throw.
#pragma once

#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "ort_abi.h"
#include "parallel_for.h"
#include "thread_pool.h"

// A C function that ONNX Runtime or Python finds by its name; all else is hidden.
#if defined(_WIN32)
#define SOPILKA_EXPORT extern "C" __declspec(dllexport)
#else
#define SOPILKA_EXPORT extern "C" __attribute__((visibility("default")))
#endif

namespace sopilka {

// A mistake of the caller: the message names what was wrong and what would be right.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline void check(const Api& api, OrtStatus* status) {
  if (status == nullptr) return;
  std::string message = api.error_message(status);
  api.release_status(status);
  throw Error(message);
}

template <class Body>
OrtStatus* guarded(const Api& api, const char* who, Body&& body) noexcept {
  try {
    body();
    return nullptr;
  } catch (const Error& error) {
    return api.create_status(kInvalidArgument, (std::string(who) + ": " + error.what()).c_str());
  } catch (const std::exception& error) {
    return api.create_status(kFail, (std::string(who) + ": " + error.what()).c_str());
  }
}

struct Tensor {
  int type = 0;
  std::vector<int64_t> shape;
  void* data = nullptr;

  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
  int64_t count() const {
    int64_t total = 1;
    for (int64_t dimension : shape) total *= dimension;
    return total;
  }
};

std::string text(const std::vector<int64_t>& shape);

Tensor tensor(const Api& api, const OrtValue* value);

// Input `index`, or a tensor without data when the optional input is absent.
Tensor input(const Api& api, const OrtKernelContext* context, size_t index);

// The constant behind input `index`, or a tensor without data when the input is computed
// at run time.
Tensor constant_input(const Api& api, const OrtKernelInfo* info, size_t index);

Tensor output(const Api& api, OrtKernelContext* context, size_t index,
              const std::vector<int64_t>& shape);

int64_t attribute(const Api& api, const OrtKernelInfo* info, const char* name, int64_t least,
                  int64_t most);

float float_attribute(const Api& api, const OrtKernelInfo* info, const char* name);

// Throws an Error about input `what` unless it is good.
void expect(bool good, const char* what, const Tensor& got, const std::string& wanted);

// Our threads, or without a pool those of the session that runs the operator. Must not outlive the
// call of the kernel.
ParallelFor parallel_for(const Api& api, OrtKernelContext* context, const Threads& threads);

// An operator as the runtime has it, with what the session that will run it has asked for.
struct RegisteredOp : OrtCustomOp {
  size_t threads;  // of ours, or 0 for the session's own
};

// The handle in the optional input `index`, int64 [1]; 0 when it is absent.
int64_t cancel_handle(const Api& api, const OrtKernelContext* context, size_t index);

// What all operators have in common. `Kernel` has a constructor from Api, OrtKernelInfo and
// Threads, a method `compute`, and a name `kName`; counts, types and characteristics are the
// operator's own.
template <class Kernel>
OrtCustomOp custom_op() {
  OrtCustomOp op{};
  op.version = kApiVersion;
  op.GetName = [](const OrtCustomOp*) { return Kernel::kName; };
  op.GetExecutionProviderType = [](const OrtCustomOp*) { return "CPUExecutionProvider"; };
  op.GetInputMemoryType = [](const OrtCustomOp*, size_t) { return 0; };
  op.GetOutputTypeCount = [](const OrtCustomOp*) -> size_t { return 1; };
  op.GetOutputType = [](const OrtCustomOp*, size_t) -> int { return kFloat; };
  op.GetOutputCharacteristic = [](const OrtCustomOp*, size_t) -> int { return kRequired; };
  op.GetStartVersion = [](const OrtCustomOp*) { return 1; };
  op.GetEndVersion = [](const OrtCustomOp*) { return 1; };
  op.CreateKernelV2 = [](const OrtCustomOp* self, const OrtApi* table, const OrtKernelInfo* info,
                         void** kernel) -> OrtStatus* {
    const Api api(table);
    const size_t count = static_cast<const RegisteredOp*>(self)->threads;
    return guarded(api, Kernel::kName, [&] {
      const Threads threads = {count == 0 ? nullptr : ThreadPool::of_process(), count};
      *kernel = new Kernel(api, info, threads);
    });
  };
  op.KernelComputeV2 = [](void* kernel, OrtKernelContext* context) -> OrtStatus* {
    const Kernel& own = *static_cast<const Kernel*>(kernel);
    return guarded(own.api(), Kernel::kName, [&] { own.compute(context); });
  };
  op.KernelDestroy = [](void* kernel) { delete static_cast<Kernel*>(kernel); };
  return op;
}

// An operator announces itself with a static Registration; registry.cc hands all of them to the
// runtime. So a new operator is a new folder, and no list is edited.
class Registration {
 public:
  explicit Registration(const OrtCustomOp* op) : op_(op), next_(head()) { head() = this; }
  static const Registration* first() { return head(); }
  const Registration* next() const { return next_; }
  const OrtCustomOp* op() const { return op_; }

 private:
  static Registration*& head();
  const OrtCustomOp* op_;
  Registration* next_;
};

}  // namespace sopilka
