// SPDX-License-Identifier: Apache-2.0
// Which of the C library's functions fail when libmigprof.so calls them, and how. To be preloaded before libmigprof.so.
//
//   LIBC_FAULTS         comma list of NAME:K=HOW (the K-th call fails), NAME:K-L=HOW (those up to the L-th) and
//                       NAME:K+=HOW (and all later ones). HOW is an errno, "ERRNOuntilFILE" (only until FILE is there),
//                       "short" (half is done), "stepSECONDS" (of clock_gettime: so much is added to the time of day)
//                       or "untilFILE" (it takes until FILE is there). One with a FILE must be the last entry.
//                       Mappings of 8 MiB and more are counted as mmap_large besides.
//   LIBC_FAULTS_REPORT  file that gets a line "NAME CALLS FAILED" for each function when the process ends.
//
// Calls are told apart by their return address, so that the program's and other libraries' are left alone, and what is
// linked into libmigprof.so (the C++ library, zstd, libunwind) counts as libmigprof.so.
#pragma once

#include <cstdint>

namespace libc_faults {

struct How {
  enum Kind { kNot, kError, kShort, kStep, kUntil } kind = kNot;
  int error = 0;
  int64_t seconds = 0;
  const char* file = nullptr;
};

// A function that can fail. One per name, constant-initialized, so that the first call of malloc finds it ready.
struct Function {
  const char* name;
  uint64_t calls = 0;
  uint64_t failed = 0;
  Function* next = nullptr;
  bool listed = false;
};

// Counts the call if it comes from libmigprof.so, and waits if it is to take long. Returns how it fails, never kUntil.
// Any thread.
How Due(Function* function, const void* return_address);

}  // namespace libc_faults
