// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/demangle.h"

#include <gtest/gtest.h>

namespace migprof::analyze {
namespace {

TEST(Demangle, MangledNames_AreUndone) {
  EXPECT_EQ(Demangle("_ZN2nn4geluINS_4Bf16EEEvPT_i"), "void nn::gelu<nn::Bf16>(nn::Bf16*, int)");
  EXPECT_EQ(Demangle("main"), "main");
  EXPECT_EQ(Demangle("_Znotmangled"), "_Znotmangled");
  EXPECT_EQ(Demangle(""), "");
  EXPECT_EQ(Demangle("_Z" + std::string(100'000, '1')).size(), 100'002u) << "too long to be worth it";
}

TEST(ShortName, KeepsWhatTellsFunctionsApart) {
  const struct {
    const char* full;
    const char* shown;
  } cases[] = {
      {"main", "main"},
      {"nn::Trainer::Step(int)", "nn::Trainer::Step"},
      {"void nn::gelu<nn::Bf16>(nn::Bf16*, int)", "nn::gelu<nn::Bf16>"},
      {"static int const& f<1>(char)", "f<1>"},
      {"void at::native::elementwise_kernel<128, 4, at::native::gpu_kernel_impl<Functor<float>>(at::TensorIterator&)::"
       "{lambda(int)#1}>(int, at::native::Lambda)",
       "at::native::elementwise_kernel<128, 4, …>"},
      {"void cutlass::Kernel<cutlass_80_tensorop_s16816gemm_bf16_256x128_32x3_nn_align8>(Params)",
       "cutlass::Kernel<…>"},
      {"(anonymous namespace)::Worker::Serve(std::vector<int>)", "Worker::Serve"},
      {"main::{lambda()#1}::operator()() const", "main::{lambda()#1}::operator()"},
      {"run(int)::{lambda(int)#2}::operator()(int) const", "run(int)::{lambda(int)#2}::operator()"},
      {"bool operator< <int>(A<int> const&, A<int> const&)", "operator< <int>"},
      {"A::operator->() const", "A::operator->"},
      {"std::ostream& operator<<(std::ostream&, A)", "operator<<"},
      {"A::operator bool() const", "A::operator bool"},
      {"f(", "f"},
      {"int (anonymous namespace)::()", "int (anonymous namespace)::()"},
      {"a<b", "a<b"},
      {"", ""},
      {"cublas_gemm_kernel", "cublas_gemm_kernel"},
      {"libtorch.so+0x1234", "libtorch.so+0x1234"},
  };
  for (const auto& test : cases) EXPECT_EQ(ShortName(test.full), test.shown) << test.full;
}

TEST(ShortName, AnyBytes_DoNoHarm) {
  for (const char* text :
       {"<<<<<<", ">>>>>>", "((((((", "))))))", "operator<", "operator", "a<(b", "{lambda(", "()()()", "<>()<>"}) {
    ShortName(text);
  }
  ShortName(std::string(200'000, '<'));
  ShortName(std::string(100'000, '<') + std::string(100'000, '>'));
}

}  // namespace
}  // namespace migprof::analyze
