// SPDX-License-Identifier: Apache-2.0
#include "examples/workloads/common/device_code.h"

#include "examples/workloads/common/check.h"

namespace workload {
namespace {

std::string Entry(const std::string& name) {
  return ".visible .entry " + name + R"((.param .u64 data, .param .u32 rounds)
{
  .reg .pred %done;
  .reg .b32 %left;
  .reg .f32 %value;
  .reg .b64 %address;
  ld.param.u64 %address, [data];
  ld.param.u32 %left, [rounds];
  mov.f32 %value, 0f3F800000;
LOOP:
  setp.eq.u32 %done, %left, 0;
  @%done bra END;
  fma.rn.f32 %value, %value, 0f3F7FFF58, 0f3F000000;
  sub.u32 %left, %left, 1;
  bra LOOP;
END:
  setp.lt.f32 %done, %value, 0f00000000;
  cvta.to.global.u64 %address, %address;
  @%done st.global.f32 [%address], %value;
  ret;
}
)";
}

}  // namespace

DeviceCode::DeviceCode(const std::vector<std::string>& kernel_names) {
  std::string ptx = ".version 7.0\n.target sm_80\n.address_size 64\n";
  for (const std::string& name : kernel_names) ptx += Entry(name);
  CHECK_CUDA(cuModuleLoadData(&module_, ptx.c_str()));
  for (const std::string& name : kernel_names) {
    CHECK_CUDA(cuModuleGetFunction(&functions_[name], module_, name.c_str()));
  }
}

DeviceCode::~DeviceCode() { cuModuleUnload(module_); }

}  // namespace workload
