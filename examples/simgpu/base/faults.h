// SPDX-License-Identifier: Apache-2.0
// What is told to go wrong: the variable SIMGPU_FAULTS, a comma list of
//   FUNCTION=CODE        every call of that exported function fails with CODE
//   FUNCTION:K=CODE      only its K-th call does
//   FUNCTION:K+=CODE     its K-th call and all later ones do
//   FUNCTION@THREAD…     the same, of calls that threads of that name make
//   SWITCH or SWITCH=VALUE, from the table in README.md
// Each library reads it for itself, on first use.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace simgpu {

// The code with which this call of `function` has to fail; nothing when it is to go ahead. Counts the call.
std::optional<int> InjectedFailure(const char* function);

// False when no FUNCTION=CODE entry exists at all and no calls are counted: lets hot paths skip the question.
bool HasInjectedFailures();

// The value of a switch; nothing when it is off, empty when it was given without a value.
std::optional<std::string> FaultSwitch(const char* name);

// The same as a number: 0 when off, `otherwise` when on without a value.
uint64_t FaultNumber(const char* name, uint64_t otherwise = 1);

// True for every n-th call while a switch has the value n. Any thread.
class FaultEvery {
 public:
  explicit FaultEvery(const char* name) : period_(FaultNumber(name)) {}
  bool Due() { return period_ != 0 && __atomic_add_fetch(&count_, 1, __ATOMIC_RELAXED) % period_ == 0; }

 private:
  const uint64_t period_;
  uint64_t count_ = 0;
};

}  // namespace simgpu
