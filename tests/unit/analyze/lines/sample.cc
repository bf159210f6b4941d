// SPDX-License-Identifier: Apache-2.0
// A library with code of known lines and known inlining, for the tests of the line table. Compiled with -O2 -g.

// A symbol in the middle of a function, so that tests find the address; the instruction behind it has the line.
#define POINT(name) asm volatile(".globl " #name "\n" #name ":\nnop" ::: "memory")

extern "C" __attribute__((visibility("default"))) int sample_value;
int sample_value = 0;

namespace sample {

#line 100 "/sources/engine.h"
struct Engine {
  __attribute__((always_inline)) int Innermost(int x) {
    POINT(point_innermost);
    return x + 1;
  }
  __attribute__((always_inline)) int Middle(int x) {
    sample_value += x;
    return Innermost(x) * 2;
  }
};

namespace {
#line 200 "/sources/hidden.cc"
__attribute__((always_inline)) inline void Hidden() { POINT(point_hidden); }
}  // namespace

#line 300 "/sources/outer.cc"
__attribute__((noinline, noclone, visibility("default"))) int Outer(int x) {
  Engine engine;
  POINT(point_outer);
  const int y = engine.Middle(x);
  Hidden();
  return y;
}

__attribute__((noinline, noclone, visibility("default"))) int WithLambda(int x) {
  const auto add = [&](int more) __attribute__((always_inline)) {
    POINT(point_lambda);
    return x + more;
  };
  return add(3);
}

}  // namespace sample

#line 400 "/sources/plain.c"
extern "C" __attribute__((visibility("default"))) void plain_function() { POINT(point_plain); }
