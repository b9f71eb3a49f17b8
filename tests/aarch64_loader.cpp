// Greedy decoding through the Relax VM's library, one word at a time. Usage: loader RUNTIME LIBRARY WEIGHTS PLAN < prompts
//
// The plan has a line for each thing, words apart by spaces:
//   tensor FLOAT BITS OFFSET NDIM EXTENT...       OFFSET into the weights file, or -1: zeros; numbered from 0
//   function ROLE NAME BUCKET COUNT ARGUMENT...   a tensor's number, or -1: what encode returned
//   bound IDS
// An encode takes input_ids and length first, a step token, position and length. Prompts are lines of ids; so is what
// comes out.
#include <dlfcn.h>
#include <tvm/ffi/container/array.h>
#include <tvm/ffi/container/tensor.h>
#include <tvm/ffi/extra/module.h>
#include <tvm/ffi/function.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace ffi = tvm::ffi;

struct Program {
  std::string role;
  int64_t bucket;
  ffi::Function call;
  std::vector<int> arguments;
};

struct Borrow {  // memory that lasts as long as the process
  void* data;
  void AllocData(DLTensor* tensor) { tensor->data = data; }
  void FreeData(DLTensor*) {}
};

static int32_t* ids(const ffi::Tensor& tensor) { return static_cast<int32_t*>(tensor.data_ptr()); }

static ffi::Any run(const Program& program, const std::vector<ffi::Tensor>& tensors, const ffi::Any& hidden) {
  std::vector<ffi::AnyView> passed;
  for (int number : program.arguments) {
    if (number < 0) {
      passed.push_back(hidden);
    } else {
      passed.push_back(tensors[number]);
    }
  }
  ffi::Any result;
  program.call.CallPacked(passed.data(), static_cast<int32_t>(passed.size()), &result);
  return result;
}

static const Program& find(const std::vector<Program>& programs, const std::string& role, int64_t length) {
  for (const Program& program : programs) {
    if (program.role == role && program.bucket >= length) return program;
  }
  std::cerr << "no " << role << " for " << length << " ids\n";
  std::exit(1);
}

int main(int count, char** words) {
  if (count != 5) return 2;
  if (!dlopen(words[1], RTLD_NOW | RTLD_GLOBAL)) {
    std::cerr << dlerror() << "\n";
    return 1;
  }
  auto library = ffi::Module::LoadFromFile(words[2]);
  auto machine = (*library->GetFunction("vm_load_executable"))().cast<ffi::Module>();
  (*machine->GetFunction("vm_initialization"))(1, 0, 2);

  std::ifstream weights(words[3], std::ios::binary);
  std::string file((std::istreambuf_iterator<char>(weights)), {});
  std::vector<ffi::Tensor> tensors;
  std::vector<Program> programs;
  int64_t bound = 0;
  std::ifstream plan(words[4]);
  for (std::string line; std::getline(plan, line);) {
    std::istringstream in(line);
    std::string kind;
    in >> kind;
    if (kind == "bound") {
      in >> bound;
    } else if (kind == "tensor") {
      int is_float, bits, rank;
      int64_t offset, size = 1;
      in >> is_float >> bits >> offset >> rank;
      std::vector<int64_t> shape(rank);
      for (int64_t& extent : shape) {
        in >> extent;
        size *= extent;
      }
      size_t bytes = size * bits / 8;
      void* memory = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
      std::memset(memory, 0, bytes);
      if (offset >= 0) std::memcpy(memory, file.data() + offset, bytes);
      DLDataType type{static_cast<uint8_t>(is_float ? kDLFloat : kDLInt), static_cast<uint8_t>(bits), 1};
      tensors.push_back(
          ffi::Tensor::FromNDAlloc(Borrow{memory}, ffi::ShapeView(shape.data(), rank), type, DLDevice{kDLCPU, 0}));
    } else {
      Program program;
      std::string name;
      int arguments;
      in >> program.role >> name >> program.bucket >> arguments;
      program.arguments.resize(arguments);
      for (int& number : program.arguments) in >> number;
      program.call = *machine->GetFunction(name);
      programs.push_back(program);
    }
  }

  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream in(line);
    std::vector<int32_t> prompt{std::istream_iterator<int32_t>(in), {}};
    int64_t length = static_cast<int64_t>(prompt.size());
    const Program& encode = find(programs, "encode", length);
    const Program& step = find(programs, "step", length);
    int32_t* input = ids(tensors[encode.arguments[0]]);
    std::memset(input, 0, encode.bucket * sizeof(int32_t));
    std::memcpy(input, prompt.data(), length * sizeof(int32_t));
    *ids(tensors[encode.arguments[1]]) = static_cast<int32_t>(length);
    *ids(tensors[step.arguments[2]]) = static_cast<int32_t>(length);
    ffi::Any hidden = run(encode, tensors, {});
    run(find(programs, "prefill", length), tensors, hidden);
    int32_t token = 0;
    for (int32_t position = 0; position < bound - 1; ++position) {
      *ids(tensors[step.arguments[0]]) = token;
      *ids(tensors[step.arguments[1]]) = position;
      token = *ids(run(step, tensors, {}).cast<ffi::Array<ffi::Any>>()[0].cast<ffi::Tensor>());
      std::cout << token << " ";
      if (token == 1) break;
    }
    std::cout << std::endl;
  }
}
