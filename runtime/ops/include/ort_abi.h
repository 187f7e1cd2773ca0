// The part of ONNX Runtime's C ABI that the operators use.
//
// ONNX Runtime's wheels ship no headers, and nothing of it is linked: the runtime hands
// RegisterCustomOps a table of function pointers. The table only ever grows, so a function is known
// by its slot, and a slot that exists in API version v means the same in every later version. We
// ask for the oldest version that has all we use; the runtime refuses (a null table) only versions
// newer than itself.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

struct OrtApi;  // Opaque: read through sopilka::Api only.
struct OrtStatus;
struct OrtValue;
struct OrtKernelInfo;
struct OrtKernelContext;
struct OrtCustomOpDomain;
struct OrtSessionOptions;
struct OrtTensorTypeAndShapeInfo;
struct OrtShapeInferContext;

struct OrtApiBase {
  const OrtApi* (*GetApi)(uint32_t version);
  const char* (*GetVersionString)();
};

// One operator. Null members are features that the operator does not use.
struct OrtCustomOp {
  uint32_t version;  // The API version that the members below belong to.
  void* (*CreateKernel)(const OrtCustomOp*, const OrtApi*, const OrtKernelInfo*);
  const char* (*GetName)(const OrtCustomOp*);
  const char* (*GetExecutionProviderType)(const OrtCustomOp*);
  int (*GetInputType)(const OrtCustomOp*, size_t index);
  size_t (*GetInputTypeCount)(const OrtCustomOp*);
  int (*GetOutputType)(const OrtCustomOp*, size_t index);
  size_t (*GetOutputTypeCount)(const OrtCustomOp*);
  void (*KernelCompute)(void* kernel, OrtKernelContext*);
  void (*KernelDestroy)(void* kernel);
  int (*GetInputCharacteristic)(const OrtCustomOp*, size_t index);
  int (*GetOutputCharacteristic)(const OrtCustomOp*, size_t index);
  int (*GetInputMemoryType)(const OrtCustomOp*, size_t index);
  int (*GetVariadicInputMinArity)(const OrtCustomOp*);
  int (*GetVariadicInputHomogeneity)(const OrtCustomOp*);
  int (*GetVariadicOutputMinArity)(const OrtCustomOp*);
  int (*GetVariadicOutputHomogeneity)(const OrtCustomOp*);
  OrtStatus* (*CreateKernelV2)(const OrtCustomOp*, const OrtApi*, const OrtKernelInfo*,
                               void** kernel);
  OrtStatus* (*KernelComputeV2)(void* kernel, OrtKernelContext*);
  OrtStatus* (*InferOutputShapeFn)(const OrtCustomOp*, OrtShapeInferContext*);
  int (*GetStartVersion)(const OrtCustomOp*);
  int (*GetEndVersion)(const OrtCustomOp*);
  size_t (*GetMayInplace)(int** inputs, int** outputs);
  void (*ReleaseMayInplace)(int* inputs, int* outputs);
  size_t (*GetAliasMap)(int** inputs, int** outputs);
  void (*ReleaseAliasMap)(int* inputs, int* outputs);
};

}  // extern "C"

static_assert(sizeof(void*) != 8 || sizeof(OrtCustomOp) == 208,
              "the runtime reads this struct by offset");

namespace sopilka {

// ParallelFor (slot 274) came with ONNX Runtime 1.17, all else is older. The table of
// version 17 ends with SessionOptionsAppendExecutionProvider_OpenVINO_V2 in slot 275, that
// of version 16 with slot 265: the runtime's own source asserts both ("Size of version 17
// API cannot change", onnxruntime_c_api.cc).
inline constexpr uint32_t kApiVersion = 17;
inline constexpr size_t kApiTableLength = 276;

enum class Slot : uint32_t {
  kCreateStatus = 0,
  kGetErrorMessage = 2,
  kCreateCustomOpDomain = 26,
  kCustomOpDomainAdd = 27,
  kAddCustomOpDomain = 28,
  kGetTensorMutableData = 51,
  kGetTensorElementType = 60,
  kGetDimensionsCount = 61,
  kGetDimensions = 62,
  kGetTensorTypeAndShape = 65,
  kKernelInfoGetAttributeFloat = 85,
  kKernelInfoGetAttributeInt64 = 86,
  kKernelContextGetInputCount = 88,
  kKernelContextGetInput = 90,
  kKernelContextGetOutput = 91,
  kReleaseStatus = 93,
  kReleaseTensorTypeAndShapeInfo = 99,
  kHasSessionConfigEntry = 237,
  kGetSessionConfigEntry = 238,
  kKernelInfoGetConstantInputTensor = 249,
  kKernelContextParallelFor = 274,
};

// Every slot above, so that a test can hold each against the table's length.
inline constexpr Slot kUsedSlots[] = {
    Slot::kCreateStatus,
    Slot::kGetErrorMessage,
    Slot::kCreateCustomOpDomain,
    Slot::kCustomOpDomainAdd,
    Slot::kAddCustomOpDomain,
    Slot::kGetTensorMutableData,
    Slot::kGetTensorElementType,
    Slot::kGetDimensionsCount,
    Slot::kGetDimensions,
    Slot::kGetTensorTypeAndShape,
    Slot::kKernelInfoGetAttributeFloat,
    Slot::kKernelInfoGetAttributeInt64,
    Slot::kKernelContextGetInputCount,
    Slot::kKernelContextGetInput,
    Slot::kKernelContextGetOutput,
    Slot::kReleaseStatus,
    Slot::kReleaseTensorTypeAndShapeInfo,
    Slot::kHasSessionConfigEntry,
    Slot::kGetSessionConfigEntry,
    Slot::kKernelInfoGetConstantInputTensor,
    Slot::kKernelContextParallelFor,
};

constexpr bool all_slots_exist() {
  for (Slot slot : kUsedSlots) {
    if (static_cast<size_t>(slot) >= kApiTableLength) return false;
  }
  return true;
}
static_assert(all_slots_exist(),
              "a slot past the end of the table would be read from foreign memory");

enum ErrorCode : int { kFail = 1, kInvalidArgument = 2 };
enum ElementType : int { kFloat = 1, kUint8 = 2, kInt32 = 6, kInt64 = 7 };
enum Characteristic : int { kRequired = 0, kOptional = 1 };

// A view of the runtime's table: one typed method for each slot that we use.
class Api {
 public:
  explicit Api(const OrtApi* table) : table_(reinterpret_cast<void* const*>(table)) {}

  OrtStatus* create_status(int code, const char* message) const {
    return call<OrtStatus*(int, const char*)>(Slot::kCreateStatus)(code, message);
  }
  const char* error_message(const OrtStatus* status) const {
    return call<const char*(const OrtStatus*)>(Slot::kGetErrorMessage)(status);
  }
  void release_status(OrtStatus* status) const {
    call<void(OrtStatus*)>(Slot::kReleaseStatus)(status);
  }

  OrtStatus* create_domain(const char* name, OrtCustomOpDomain** domain) const {
    return call<OrtStatus*(const char*, OrtCustomOpDomain**)>(Slot::kCreateCustomOpDomain)(name,
                                                                                           domain);
  }
  OrtStatus* add_op(OrtCustomOpDomain* domain, const OrtCustomOp* op) const {
    return call<OrtStatus*(OrtCustomOpDomain*, const OrtCustomOp*)>(Slot::kCustomOpDomainAdd)(
        domain, op);
  }
  OrtStatus* add_domain(OrtSessionOptions* options, OrtCustomOpDomain* domain) const {
    return call<OrtStatus*(OrtSessionOptions*, OrtCustomOpDomain*)>(Slot::kAddCustomOpDomain)(
        options, domain);
  }

  OrtStatus* attribute(const OrtKernelInfo* info, const char* name, int64_t* value) const {
    return call<OrtStatus*(const OrtKernelInfo*, const char*, int64_t*)>(
        Slot::kKernelInfoGetAttributeInt64)(info, name, value);
  }
  OrtStatus* attribute(const OrtKernelInfo* info, const char* name, float* value) const {
    return call<OrtStatus*(const OrtKernelInfo*, const char*, float*)>(
        Slot::kKernelInfoGetAttributeFloat)(info, name, value);
  }
  OrtStatus* constant_input(const OrtKernelInfo* info, size_t index, int* is_constant,
                            const OrtValue** value) const {
    return call<OrtStatus*(const OrtKernelInfo*, size_t, int*, const OrtValue**)>(
        Slot::kKernelInfoGetConstantInputTensor)(info, index, is_constant, value);
  }

  OrtStatus* input_count(const OrtKernelContext* context, size_t* count) const {
    return call<OrtStatus*(const OrtKernelContext*, size_t*)>(Slot::kKernelContextGetInputCount)(
        context, count);
  }
  OrtStatus* input(const OrtKernelContext* context, size_t index, const OrtValue** value) const {
    return call<OrtStatus*(const OrtKernelContext*, size_t, const OrtValue**)>(
        Slot::kKernelContextGetInput)(context, index, value);
  }
  OrtStatus* output(OrtKernelContext* context, size_t index, const int64_t* shape, size_t rank,
                    OrtValue** value) const {
    return call<OrtStatus*(OrtKernelContext*, size_t, const int64_t*, size_t, OrtValue**)>(
        Slot::kKernelContextGetOutput)(context, index, shape, rank, value);
  }

  // The data pointer of a tensor; the runtime has one function for reading and writing.
  OrtStatus* data(const OrtValue* value, void** data) const {
    return call<OrtStatus*(OrtValue*, void**)>(Slot::kGetTensorMutableData)(
        const_cast<OrtValue*>(value), data);
  }
  OrtStatus* type_and_shape(const OrtValue* value, OrtTensorTypeAndShapeInfo** info) const {
    return call<OrtStatus*(const OrtValue*, OrtTensorTypeAndShapeInfo**)>(
        Slot::kGetTensorTypeAndShape)(value, info);
  }
  OrtStatus* element_type(const OrtTensorTypeAndShapeInfo* info, int* type) const {
    return call<OrtStatus*(const OrtTensorTypeAndShapeInfo*, int*)>(Slot::kGetTensorElementType)(
        info, type);
  }
  OrtStatus* rank(const OrtTensorTypeAndShapeInfo* info, size_t* rank) const {
    return call<OrtStatus*(const OrtTensorTypeAndShapeInfo*, size_t*)>(Slot::kGetDimensionsCount)(
        info, rank);
  }
  OrtStatus* dimensions(const OrtTensorTypeAndShapeInfo* info, int64_t* shape, size_t rank) const {
    return call<OrtStatus*(const OrtTensorTypeAndShapeInfo*, int64_t*, size_t)>(
        Slot::kGetDimensions)(info, shape, rank);
  }
  void release_type_and_shape(OrtTensorTypeAndShapeInfo* info) const {
    call<void(OrtTensorTypeAndShapeInfo*)>(Slot::kReleaseTensorTypeAndShapeInfo)(info);
  }

  OrtStatus* has_option(const OrtSessionOptions* options, const char* key, int* has) const {
    return call<OrtStatus*(const OrtSessionOptions*, const char*, int*)>(
        Slot::kHasSessionConfigEntry)(options, key, has);
  }
  // `size` is the room in `value` and becomes the text's length with its final zero; without room
  // the status is an error.
  OrtStatus* option(const OrtSessionOptions* options, const char* key, char* value,
                    size_t* size) const {
    return call<OrtStatus*(const OrtSessionOptions*, const char*, char*, size_t*)>(
        Slot::kGetSessionConfigEntry)(options, key, value, size);
  }

  // Calls `task(user, i)` for every i < total on the session's thread pool and waits; with
  // `batches` 0 idle threads claim one task at a time.
  OrtStatus* parallel_for(const OrtKernelContext* context, void (*task)(void*, size_t),
                          size_t total, size_t batches, void* user) const {
    using Task = void (*)(void*, size_t);
    return call<OrtStatus*(const OrtKernelContext*, Task, size_t, size_t, void*)>(
        Slot::kKernelContextParallelFor)(context, task, total, batches, user);
  }

 private:
  template <class Signature>
  Signature* call(Slot slot) const {
    return reinterpret_cast<Signature*>(table_[static_cast<size_t>(slot)]);
  }

  void* const* table_;
};

}  // namespace sopilka
