#pragma once
// What all commands share in talking to the user: progress, interrupts, tables.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace xinfer::cli {

/// Makes ctrl-C and SIGTERM ask for a stop instead of killing the program; a second one kills it.
void install_interrupt_handler();
/// True once the user has asked for a stop.
bool interrupted();
/// Throws CancelledError once the user has asked for a stop.
void throw_if_interrupted();

/// One line on stderr that is redrawn while work goes on. Silent when stderr is no terminal.
class ProgressBar {
 public:
  ProgressBar();
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  /// Shows `done` of `total` (-1: unknown) for the stage `title`; a new title begins a new line.
  void update(const std::string& title, std::int64_t done, std::int64_t total);
  /// Ends the current line.
  void finish();

 private:
  bool visible_;
  bool open_ = false;
  std::string title_;
  std::chrono::steady_clock::time_point started_;
  std::chrono::steady_clock::time_point drawn_;
};

/// Left-aligned columns, two spaces apart; the first row is the heading. Columns of numbers are right-aligned.
std::string table(const std::vector<std::vector<std::string>>& rows);

/// "12.3 MB".
std::string human_bytes(std::uint64_t bytes);

/// Prints to stdout. Throws Error when stdout can't take it (a closed pipe, a full disk).
void print(const std::string& text);

}  // namespace xinfer::cli
