// SPDX-License-Identifier: Apache-2.0
// How Drain keeps what it holds within its memory: rows are written, definitions are forgotten.
#include "libmigprof/record/drain.h"
#include "libmigprof/record/hooked_calls.h"

namespace migprof::record {

void Drain::InternApis() {
  for (const HookedCall& call : kHookedCalls) {
    apis_[call.callback_id] = {parts_.definitions->now().strings.Intern(PublicName(call.name)), call.call_class};
  }
}

void Drain::AnnounceGeneration() {
  parts_.calls->SetGeneration(parts_.definitions->now().frames.generation(), parts_.definitions->times_forgotten());
}

void Drain::MakeRoom() {
  parts_.files->WriteFull();
  if (parts_.definitions->is_full() && parts_.files->error().ok()) ForgetDefinitions();
}

void Drain::ForgetDefinitions() {
  parts_.definitions->now().frames.ResolveNames();
  parts_.files->ForgetDefinitions();
  if (!parts_.files->error().ok()) return;  // nothing is recorded any more
  const uint32_t last_forgotten = parts_.definitions->now().base;
  graph_log_.ForgetCalls(last_forgotten);
  last_calls_.clear();
  const auto forget_in = [&](CallEvent* call) { ForgetIn(call, last_forgotten); };
  parts_.files->live_graph_nodes()->ForEachCall(forget_in);
  parts_.files->live_allocations()->ForEachCall(forget_in);
  parts_.definitions->Forget();
  RenewCarriedCalls();
  parts_.slots->ForEach([&](ThreadSlot* slot) { parts_.definitions->KeepThread(slot->read_serial); });
  InternApis();
  AnnounceGeneration();
}

// What was deferred for long: there was no room to say it again.
void Drain::ForgetIn(CallEvent* call, uint32_t last) {
  const auto forget = [last](uint32_t* id) { return *id != 0 && *id <= last ? (*id = 0, true) : false; };
  const bool lost_stack = forget(&call->stack_node);
  if (lost_stack) call->flags |= format::kCallStackMissing;
  const bool lost_python = forget(&call->python_node);
  if (lost_python) call->flags |= format::kCallPythonLost;
  carried_stacks_lost_ += lost_stack || lost_python;
  forget(&call->range_node);
  forget(&call->api);
}

// Later files must tell of calls whose definitions will be forgotten with the generation that has just ended: these are
// said again in the one that begins. Most such calls have few stacks.
void Drain::RenewCarriedCalls() {
  Definitions* const definitions = parts_.definitions;
  std::unordered_map<uint32_t, uint32_t> stacks;
  std::unordered_map<uint32_t, uint32_t> python_stacks;
  const auto renew = [&](CallEvent* call) {
    if (!definitions->has_room_to_renew()) return;
    definitions->KeepThread(call->thread);
    call->api = definitions->RenewString(call->api);
    const auto [stack, is_new_stack] = stacks.try_emplace(call->stack_node, call->stack_node);
    if (is_new_stack) stack->second = definitions->RenewStack(call->stack_node);
    call->stack_node = stack->second;
    const auto [python, is_new_python] = python_stacks.try_emplace(call->python_node, call->python_node);
    if (is_new_python) python->second = definitions->RenewPythonStack(call->python_node);
    call->python_node = python->second;
    call->range_node = definitions->RenewRange(call->range_node);
  };
  parts_.files->live_graph_nodes()->ForEachCall(renew);
  parts_.files->live_allocations()->ForEachCall(renew);
}

}  // namespace migprof::record
