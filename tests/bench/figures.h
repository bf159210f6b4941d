// SPDX-License-Identifier: Apache-2.0
// What migprof-bench prints: notes while it works, and at the end one line "figure NAME VALUE UNIT" per number.
#pragma once

#include <string>
#include <vector>

namespace migprof::bench {

class Figures {
 public:
  void Add(const std::string& name, double value, const std::string& unit) { rows_.push_back({name, value, unit}); }
  void Print() const;

 private:
  struct Row {
    std::string name;
    double value;
    std::string unit;
  };
  std::vector<Row> rows_;
};

double Median(std::vector<double> values);

// The topics. Each says in a line what it measures and adds its figures.
void BenchRing(Figures* figures);
void BenchCapture(Figures* figures);
void BenchLaunch(Figures* figures);
void BenchPython(Figures* figures);
void BenchStart(Figures* figures);
void BenchCounters(Figures* figures);
void BenchStorm(Figures* figures);
void BenchTrace(Figures* figures);
void BenchMerge(Figures* figures);
void BenchDraw(Figures* figures);
void BenchSymbols(Figures* figures);
void BenchTop(Figures* figures);

// Files of the build this program belongs to.
std::string BuiltFile(const std::string& relative);

}  // namespace migprof::bench
