// SPDX-License-Identifier: Apache-2.0
// What the numbers of a tree are and are called. flamegraph_view.cc says the same outside the browser.
(() => {
  'use strict';
  const viewer = (globalThis.migprofViewer ??= {});

  // `noun` is what the weights are, `count` what the counts are; `meaning` is the help's first sentence.
  const TEXTS = {
    gpu: {
      noun: 'time', amount: 'Time', count: 'Launches', unit: 'ns', human: viewer.humanTime,
      nothing: 'No GPU time was recorded, so there is nothing to draw.',
      meaning: 'The width of a frame is the GPU time spent in what it launched.',
      rows: 'host, GPU, slice, process, the calls of the program, and last the kernel or copy.',
    },
    idle: {
      noun: 'idle time', amount: 'Idle', count: 'Gaps', unit: 'ns', human: viewer.humanTime,
      nothing: 'No idle time is known, so there is nothing to draw.',
      meaning: 'The width of a frame is the time in which nothing ran on the slice, until a call below the frame ended it.',
      rows: 'host, GPU, slice, process, the calls of the program, and last why nothing ran.',
    },
    memory: {
      noun: 'memory', amount: 'Live', count: 'Allocations', unit: 'bytes', human: viewer.humanBytes,
      nothing: 'No allocation of device memory was recorded, so there is nothing to draw.',
      meaning: 'The width of a frame is the device memory that it had allocated and not released when most was in use.',
      rows: 'host, GPU, slice, process, the calls of the program, and last the call that allocated.',
    },
  };

  // `view` is ViewName of flamegraph_view.h; GPU time where it is absent.
  viewer.viewTexts = (view) => {
    const name = view in TEXTS ? view : 'gpu';
    return { name, ...TEXTS[name] };
  };
})();
