#pragma once
// The commands of the xinfer program, one file each.

#include <CLI/CLI.hpp>
#include <functional>

namespace xinfer::cli {

/// What a chosen command does; its result is the program's exit code.
using Action = std::function<int()>;

// Each adds its sub-command to `app` and sets `action` when the user chose it.
void add_build(CLI::App& app, Action& action);
void add_calibrate(CLI::App& app, Action& action);
void add_recalibrate(CLI::App& app, Action& action);
void add_validate(CLI::App& app, Action& action);
void add_run(CLI::App& app, Action& action);
void add_bench(CLI::App& app, Action& action);
void add_drift(CLI::App& app, Action& action);
void add_inspect(CLI::App& app, Action& action);
void add_doctor(CLI::App& app, Action& action);

}  // namespace xinfer::cli
