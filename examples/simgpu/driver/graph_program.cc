// SPDX-License-Identifier: Apache-2.0
// Turns the nodes of an executable graph into steps, and carries those out at a launch.
#include <cupti_activity.h>

#include <algorithm>
#include <unordered_map>

#include "driver/clock.h"
#include "driver/context.h"
#include "driver/copy.h"
#include "driver/event.h"
#include "driver/graph_exec.h"
#include "driver/host_function.h"
#include "driver/launch.h"
#include "driver/memory.h"
#include "driver/process.h"
#include "driver/time_model.h"

namespace simgpu::driver {
namespace {

// Work of a node in `context`. The stream and the correlation id are those of a launch.
WorkStep NewStep(WorkKind kind, const Context& context, const GraphNode& node, uint32_t graph_id) {
  WorkStep step;
  step.device = context.device;
  step.work.kind = kind;
  step.work.async = true;
  step.work.device = context.device->ordinal;
  step.work.context_id = context.id;
  step.work.graph_id = graph_id;
  step.work.graph_node_id = node.id;
  return step;
}

CUresult Compile(const KernelNode& kernel, const GraphNode& node, uint32_t graph_id, WorkStep* step) {
  const Function* const function = FindFunction(kernel.params.func != nullptr ? static_cast<void*>(kernel.params.func)
                                                                              : static_cast<void*>(kernel.params.kern));
  Context* context = FindContext(kernel.params.ctx);
  if (context == nullptr && function != nullptr && function->module != nullptr) context = function->module->context;
  if (function == nullptr || context == nullptr) return CUDA_ERROR_INVALID_VALUE;
  LaunchRequest request = RequestOf(kernel.params);
  request.cooperative = kernel.cooperative;
  std::copy(kernel.cluster, kernel.cluster + 3, request.cluster);
  KernelWork work;
  if (const CUresult result = PlanLaunch(*function, *context->device, request, &work); result != CUDA_SUCCESS)
    return result;
  *step = NewStep(WorkKind::kKernel, *context, node, graph_id);
  step->work.name = function->name;
  step->work.kernel = work;
  step->duration_ns = KernelNs(*context->device, *function, work);
  return CUDA_SUCCESS;
}

CUresult Compile(const CopyNode& copy, const GraphNode& node, uint32_t graph_id, WorkStep* step) {
  CopyPlan plan;
  CopyWork facts;
  const CUresult result = PlanCopy(copy.params, *copy.context, {.async = true}, &plan, &facts);
  if (result != CUDA_SUCCESS) return result;
  *step = NewStep(WorkKind::kMemcpy, *copy.context, node, graph_id);
  step->work.copy = facts;
  step->work.bytes = plan.bytes();
  step->work.name = CopyName(facts.copy_kind);
  step->duration_ns = CopyNs(*copy.context->device, facts.copy_kind, plan.bytes());
  step->bytes = plan;
  return CUDA_SUCCESS;
}

CUresult Compile(const MemsetNode& memset, const GraphNode& node, uint32_t graph_id, WorkStep* step) {
  MemsetPlan plan;
  if (const CUresult result = PlanMemset(memset.params, &plan); result != CUDA_SUCCESS) return result;
  *step = NewStep(WorkKind::kMemset, *memset.context, node, graph_id);
  step->work.memset = {plan.value, MemoryKindAt(plan.address)};
  step->work.bytes = plan.bytes();
  step->work.name = "memset";
  step->duration_ns = MemsetNs(*memset.context->device, plan.bytes());
  step->bytes = plan;
  return CUDA_SUCCESS;
}

class Compiler {
 public:
  Compiler(uint32_t graph_id, GraphProgram* program) : graph_id_(graph_id), program_(program) {}

  // Appends the steps of `graph`. Those that wait for nothing in it wait for `before`. Returns what has to be waited
  // for to have all of it done.
  CUresult AddGraph(const Graph& graph, const std::vector<size_t>& before, std::vector<size_t>* last) {
    std::unordered_map<const GraphNode*, std::vector<size_t>> done_by;
    for (const GraphNode* const node : TopologicalOrder(graph)) {
      std::vector<size_t> after;
      for (const GraphNode* const dependency : node->dependencies) {
        const std::vector<size_t>& steps = done_by[dependency];
        after.insert(after.end(), steps.begin(), steps.end());
      }
      if (node->dependencies.empty()) after = before;
      if (const CUresult result = AddNode(*node, after, &done_by[node]); result != CUDA_SUCCESS) return result;
    }
    for (const GraphNode* const node : graph.nodes) {
      if (node->dependents.empty()) last->insert(last->end(), done_by[node].begin(), done_by[node].end());
    }
    if (graph.nodes.empty()) *last = before;
    return CUDA_SUCCESS;
  }

 private:
  CUresult AddNode(const GraphNode& node, const std::vector<size_t>& after, std::vector<size_t>* done_by) {
    if (const auto* const child = std::get_if<ChildNode>(&node.payload)) return AddGraph(*child->graph, after, done_by);
    Step step;
    step.after = after;
    CUresult result = CUDA_SUCCESS;
    if (node.enabled) result = FillAction(node, &step);
    done_by->assign(1, program_->steps.size());
    program_->steps.push_back(std::move(step));
    return result;
  }

  template <class Payload>
  CUresult FillWork(const Payload& payload, const GraphNode& node, Step* step) {
    WorkStep work;
    const CUresult result = Compile(payload, node, graph_id_, &work);
    step->action = work;
    return result;
  }

  CUresult FillAction(const GraphNode& node, Step* step) {
    if (const auto* const kernel = std::get_if<KernelNode>(&node.payload)) return FillWork(*kernel, node, step);
    if (const auto* const copy = std::get_if<CopyNode>(&node.payload)) return FillWork(*copy, node, step);
    if (const auto* const memset = std::get_if<MemsetNode>(&node.payload)) return FillWork(*memset, node, step);
    if (const auto* const host = std::get_if<HostNode>(&node.payload)) {
      step->action = HostStep{host->params.fn, host->params.userData};
      program_->runs_host_code = true;
    } else if (const auto* const record = std::get_if<EventRecordNode>(&node.payload)) {
      step->action = RecordStep{record->event};
    } else if (const auto* const wait = std::get_if<EventWaitNode>(&node.payload)) {
      step->action = WaitStep{wait->event};
    }
    return CUDA_SUCCESS;  // empty nodes and those of memory do nothing at a launch
  }

  const uint32_t graph_id_;
  GraphProgram* const program_;
};

// One launch of a program.
class GraphOperation : public Operation {
 public:
  GraphOperation(std::shared_ptr<const GraphProgram> program, GraphLaunch launch, uint64_t queued_ns)
      : program_(std::move(program)), launch_(launch), queued_ns_(queued_ns), times_(program_->steps.size()) {
    TakeMoments();
  }

  bool CanStart() const override {
    return std::all_of(waits_.begin(), waits_.end(), [](const auto& wait) { return wait.second->reached; });
  }
  bool RunsHostCode() const override { return program_->runs_host_code; }
  uint64_t Schedule(uint64_t ready_ns) override;
  void Perform() override;

 private:
  struct Times {
    uint64_t start_ns = 0;
    uint64_t end_ns = 0;
  };

  // Events are those of now: what the program does with them later does not change this launch.
  void TakeMoments();
  uint64_t DurationOf(const Step& step) const;
  void Report(const WorkStep& step, const Times& times) const;

  const std::shared_ptr<const GraphProgram> program_;
  GraphLaunch launch_;
  const uint64_t queued_ns_;
  std::vector<Times> times_;
  std::unordered_map<size_t, std::shared_ptr<Moment>> waits_;
  std::unordered_map<size_t, std::shared_ptr<Moment>> records_;
};

void GraphOperation::TakeMoments() {
  const std::lock_guard lock(Engine::Get().mutex());
  for (size_t i = 0; i < program_->steps.size(); ++i) {
    if (const auto* const record = std::get_if<RecordStep>(&program_->steps[i].action)) {
      records_[i] = record->event->moment = std::make_shared<Moment>();
    } else if (const auto* const wait = std::get_if<WaitStep>(&program_->steps[i].action)) {
      if (wait->event->moment != nullptr) waits_[i] = wait->event->moment;
    }
  }
}

uint64_t GraphOperation::DurationOf(const Step& step) const {
  if (const auto* const work = std::get_if<WorkStep>(&step.action)) return work->duration_ns;
  return std::holds_alternative<HostStep>(step.action) ? Model().host_function_ns : 0;
}

uint64_t GraphOperation::Schedule(uint64_t ready_ns) {
  const uint64_t first_ns = StartTime(queued_ns_, ready_ns);
  launch_.start_ns = first_ns;
  launch_.end_ns = first_ns;
  for (size_t i = 0; i < program_->steps.size(); ++i) {
    const Step& step = program_->steps[i];
    Times& times = times_[i];
    times.start_ns = first_ns;
    for (const size_t before : step.after) {
      // Steps that are no work of the GPU take no time to get going.
      const uint64_t gap_ns = std::holds_alternative<WorkStep>(step.action) ? Model().gap_ns : 0;
      times.start_ns = std::max(times.start_ns, times_[before].end_ns + gap_ns);
    }
    if (const auto wait = waits_.find(i); wait != waits_.end())
      times.start_ns = std::max(times.start_ns, wait->second->time_ns);
    times.end_ns = times.start_ns + DurationOf(step);
    if (const auto record = records_.find(i); record != records_.end()) *record->second = {true, times.end_ns};
    launch_.end_ns = std::max(launch_.end_ns, times.end_ns);
  }
  return launch_.end_ns;
}

void GraphOperation::Report(const WorkStep& step, const Times& times) const {
  Work work = step.work;
  work.stream_id = launch_.stream_id;
  work.correlation_id = launch_.correlation_id;
  work.queued_ns = queued_ns_;
  work.start_ns = times.start_ns;
  work.end_ns = times.end_ns;
  ReportWork(*step.device, work);
}

void GraphOperation::Perform() {
  for (size_t i = 0; i < program_->steps.size(); ++i) {
    const Step& step = program_->steps[i];
    if (const auto* const work = std::get_if<WorkStep>(&step.action)) {
      if (const auto* const copy = std::get_if<CopyPlan>(&work->bytes)) PerformCopy(*copy);
      if (const auto* const memset = std::get_if<MemsetPlan>(&work->bytes)) PerformMemset(*memset);
      Report(*work, times_[i]);
    } else if (const auto* const host = std::get_if<HostStep>(&step.action)) {
      Clock::Get().SleepUntil(times_[i].start_ns);
      RunHostFunction(host->function, host->argument);
    }
  }
  if (Tool* const tool = AttachedTool()) tool->GraphLaunched(launch_);
}

}  // namespace

CUresult Recompile(GraphExec* exec) {
  auto program = std::make_shared<GraphProgram>();
  std::vector<size_t> last;
  const CUresult result = Compiler(exec->id, program.get()).AddGraph(*exec->graph, {}, &last);
  if (result != CUDA_SUCCESS) return result;
  const std::lock_guard lock(exec->mutex);
  exec->program = std::move(program);
  return CUDA_SUCCESS;
}

CUresult LaunchGraph(GraphExec* exec, Stream* stream) {
  std::shared_ptr<const GraphProgram> program;
  {
    const std::lock_guard lock(exec->mutex);
    program = exec->program;
  }
  GraphLaunch launch = {};
  launch.device = stream->context->device->ordinal;
  launch.context_id = stream->context->id;
  launch.stream_id = stream->id;
  launch.correlation_id = t_call.correlation_id;
  launch.graph_id = exec->id;
  Engine::Get().Submit(stream->lane, GraphOperation(std::move(program), launch, Clock::Get().NowNs()));
  return CUDA_SUCCESS;
}

}  // namespace simgpu::driver
