// SPDX-License-Identifier: Apache-2.0
// Another CUPTI client, in a library of its own that is linked to libcupti, as Kineto is in PyTorch's. It does what
// Kineto does, call by call.
#pragma once

#pragma GCC visibility push(default)
extern "C" {
// cuptiSubscribe. All functions that return an int return the first error of CUPTI, or 0.
int client_subscribe();
int client_unsubscribe();
// Registers buffers and enables kernels, copies and memsets.
int client_start();
// Disables them and flushes, forced.
int client_stop();
// The same, but what is not done stays where it is.
int client_stop_softly();
// Disables kernels alone, which somebody else may have enabled.
int client_disable_kernels();
// Finalizes, here and now.
int client_finalize();
// Unsubscribes and finalizes, at the end of the next driver call.
int client_teardown();
// The state of one callback of its own.
int client_enable_launches(int enable);

// Whether CUPTI takes it that buffers come zeroed.
int client_zeroed();

long client_kernels();    // that it was given
long client_strangers();  // buffers that it was given and never had handed out
long client_launches();   // callbacks of launches
}
#pragma GCC visibility pop
