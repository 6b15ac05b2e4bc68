// Writes the pages that the browser test looks at. usage: report_pages FOLDER

#include <exception>
#include <iostream>

#include "report/rich_report.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: report_pages FOLDER\n";
    return 2;
  }
  try {
    const std::string folder = std::string(argv[1]) + "/";
    xinfer::builders::write_report(xinfer::testing_support::rich_report(), folder + "rich.html");
    xinfer::builders::write_report(xinfer::testing_support::bare_report(), folder + "bare.html");
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
