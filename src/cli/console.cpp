#include "cli/console.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "xinfer/core/errors.h"

namespace xinfer::cli {
namespace {

volatile std::sig_atomic_t stop_requested = 0;

extern "C" void on_interrupt(int signal) {
  stop_requested = 1;
  std::signal(signal, SIG_DFL);  // NOLINT: a second interrupt kills
}

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789.,+-% x") == std::string::npos;
}

}  // namespace

void install_interrupt_handler() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return stop_requested != 0; }

void throw_if_interrupted() {
  if (interrupted()) throw CancelledError("stopped by the user; nothing was written");
}

ProgressBar::ProgressBar() : visible_(isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() { finish(); }

void ProgressBar::update(const std::string& title, std::int64_t done, std::int64_t total) {
  if (!visible_) return;
  const auto now = std::chrono::steady_clock::now();
  if (title != title_) {
    finish();
    title_ = title;
    started_ = now;
  } else if (open_ && done != total && now - drawn_ < std::chrono::milliseconds(100)) {
    return;
  }
  drawn_ = now;
  open_ = true;
  const double seconds = std::chrono::duration<double>(now - started_).count();
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  std::string line = fmt::format("{:<10}", title);
  if (total > 0) {
    constexpr std::int64_t kWidth = 30;
    const auto filled = static_cast<std::size_t>(std::min(kWidth, kWidth * done / total));
    line += fmt::format(" [{}{}] {}/{}", std::string(filled, '='), std::string(kWidth - filled, ' '), done, total);
    if (rate > 0 && done > 0 && done < total) {
      line += fmt::format("  {:.1f}/s, {:.0f} s left", rate, static_cast<double>(total - done) / rate);
    }
  } else if (done > 0) {
    line += fmt::format(" {}", done);
  }
  fmt::print(stderr, "\r\033[K{}", line);
  std::fflush(stderr);
}

void ProgressBar::finish() {
  if (open_) fmt::print(stderr, "\n");
  open_ = false;
  title_.clear();
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  std::vector<bool> numeric;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t c = 0; c < rows[r].size(); ++c) {
      if (widths.size() <= c) widths.push_back(0), numeric.push_back(true);
      widths[c] = std::max(widths[c], rows[r][c].size());
      if (r > 0 && !rows[r][c].empty() && !is_number(rows[r][c])) numeric[c] = false;
    }
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      if (c > 0) line += "  ";
      line += numeric[c] && rows.size() > 1 ? fmt::format("{:>{}}", row[c], widths[c])
                                            : fmt::format("{:<{}}", row[c], widths[c]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string human_bytes(std::uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (bytes < 10'000) return fmt::format("{} B", bytes);
  if (bytes < 1'000'000) return fmt::format("{:.1f} kB", value / 1e3);
  if (bytes < 1'000'000'000) return fmt::format("{:.1f} MB", value / 1e6);
  return fmt::format("{:.2f} GB", value / 1e9);
}

void print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw Error(fmt::format("could not write to the standard output: {}", std::strerror(errno)));
  }
}

}  // namespace xinfer::cli
