// The xinfer program.

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>

#include "cli/commands.h"
#include "cli/console.h"
#include "xinfer/core/errors.h"
#include "xinfer/core/version.h"

namespace {

constexpr int kFailure = 1;
constexpr int kUsage = 2;

/// GCC's OpenMP lets idle threads spin for several milliseconds, which ruins everyone's latency as soon as two programs
/// share the cores. It reads its settings before main() begins, so the program sets a bound and starts itself again.
void bound_openmp_spinning(char** argv) {
  constexpr const char* kSpins = "4000";  // about 0.1 ms: longer than the gaps between layers
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  if (setenv("GOMP_SPINCOUNT", kSpins, 1) == 0) execv("/proc/self/exe", argv);
  // Where that is not possible (no /proc) the program goes on, only with the usual spinning.
}

int run(int argc, char** argv) {
  CLI::App app{
      "From an ONNX model and a folder of images to a validated INT8 engine.\n\n"
      "  xinfer build model.onnx --int8 --calib images/ --resize 224x224 \\\n"
      "      --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --max-batch 32 -o model.engine\n"
      "  xinfer validate model.engine --reference model.onnx --data test/ --max-drop 0.5\n"
      "  xinfer run model.engine cat.png dog.jpg --labels names.txt\n"
      "  xinfer bench model.engine --batch 8\n"
      "  xinfer inspect model.engine --why\n"
      "  xinfer drift model.engine --data new_images/\n"
      "  xinfer recalibrate model.engine --data new_images/ -o new.engine\n"
      "  xinfer doctor",
      "xinfer"};
  app.set_version_flag("--version", std::string("xinfer ") + xinfer::kVersion);
  app.require_subcommand(1);
  app.failure_message([](const CLI::App*, const CLI::Error& error) {
    return fmt::format("xinfer: {}\nTry 'xinfer --help' or 'xinfer COMMAND --help'.\n", error.what());
  });
  xinfer::cli::Action action;
  xinfer::cli::add_build(app, action);
  xinfer::cli::add_calibrate(app, action);
  xinfer::cli::add_recalibrate(app, action);
  xinfer::cli::add_validate(app, action);
  xinfer::cli::add_run(app, action);
  xinfer::cli::add_bench(app, action);
  xinfer::cli::add_drift(app, action);
  xinfer::cli::add_inspect(app, action);
  xinfer::cli::add_doctor(app, action);
  try {
    app.parse(argc, argv);
    return action();
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
}

}  // namespace

int main(int argc, char** argv) {
  bound_openmp_spinning(argv);
  xinfer::cli::install_interrupt_handler();
  try {
    return run(argc, argv);
  } catch (const xinfer::Error& error) {
    fmt::print(stderr, "xinfer: {}\n", error.what());
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "xinfer: out of memory\n");
  } catch (const std::exception& error) {
    fmt::print(stderr, "xinfer: internal error: {}\n  hint: please report this with the command and the model\n",
               error.what());
  }
  return kFailure;
}
