#include "op.h"

namespace sopilka {

std::string text(const std::vector<int64_t>& shape) {
  std::string joined = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    joined += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return joined + "]";
}

Tensor tensor(const Api& api, const OrtValue* value) {
  Tensor result;
  if (value == nullptr) return result;
  OrtTensorTypeAndShapeInfo* info = nullptr;
  check(api, api.type_and_shape(value, &info));
  // The info must be released on every way out, so errors wait until then.
  size_t rank = 0;
  OrtStatus* status = api.element_type(info, &result.type);
  if (status == nullptr) status = api.rank(info, &rank);
  if (status == nullptr) {
    result.shape.resize(rank);
    status = api.dimensions(info, result.shape.data(), rank);
  }
  api.release_type_and_shape(info);
  check(api, status);
  check(api, api.data(value, &result.data));
  return result;
}

Tensor input(const Api& api, const OrtKernelContext* context, size_t index) {
  size_t count = 0;
  check(api, api.input_count(context, &count));
  if (index >= count) return Tensor();
  const OrtValue* value = nullptr;
  check(api, api.input(context, index, &value));
  return tensor(api, value);
}

Tensor constant_input(const Api& api, const OrtKernelInfo* info, size_t index) {
  int is_constant = 0;
  const OrtValue* value = nullptr;
  check(api, api.constant_input(info, index, &is_constant, &value));
  return is_constant != 0 ? tensor(api, value) : Tensor();
}

Tensor output(const Api& api, OrtKernelContext* context, size_t index,
              const std::vector<int64_t>& shape) {
  OrtValue* value = nullptr;
  check(api, api.output(context, index, shape.data(), shape.size(), &value));
  return tensor(api, value);
}

int64_t attribute(const Api& api, const OrtKernelInfo* info, const char* name, int64_t least,
                  int64_t most) {
  int64_t value = 0;
  OrtStatus* status = api.attribute(info, name, &value);
  if (status != nullptr) {
    api.release_status(status);
    throw Error(std::string("the integer attribute `") + name + "` is missing");
  }
  if (value < least || value > most) {
    throw Error(std::string("attribute `") + name + "` is " + std::to_string(value) +
                ", must be from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return value;
}

float float_attribute(const Api& api, const OrtKernelInfo* info, const char* name) {
  float value = 0.0f;
  OrtStatus* status = api.attribute(info, name, &value);
  if (status != nullptr) {
    api.release_status(status);
    throw Error(std::string("the float attribute `") + name + "` is missing");
  }
  return value;
}

void expect(bool good, const char* what, const Tensor& got, const std::string& wanted) {
  if (!good)
    throw Error(std::string("input `") + what + "` has shape " + text(got.shape) + ", must be " +
                wanted);
}

ParallelFor parallel_for(const Api& api, OrtKernelContext* context, const Threads& threads) {
  if (threads.pool != nullptr) {
    return [&threads](size_t total, const std::function<void(size_t)>& task) {
      threads.pool->run(total, threads.count, task);
    };
  }
  return [api, context](size_t total, const std::function<void(size_t)>& task) {
    const auto call = [](void* user, size_t i) {
      (*static_cast<const std::function<void(size_t)>*>(user))(i);
    };
    check(api, api.parallel_for(context, call, total, 0,
                                const_cast<std::function<void(size_t)>*>(&task)));
  };
}

int64_t cancel_handle(const Api& api, const OrtKernelContext* context, size_t index) {
  const Tensor handle = input(api, context, index);
  if (handle.data == nullptr) return 0;
  expect(handle.count() == 1, "cancel", handle, "[1]");
  return *handle.as<int64_t>();
}

}  // namespace sopilka
