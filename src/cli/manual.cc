// SPDX-License-Identifier: Apache-2.0
// portolan manual: the page portolan(1), written from the commands' own help.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/command.h"

namespace portolan::cli {
namespace {

/// Text for roff: a hyphen that may be copied, no escape and no request by accident.
std::string roff(std::string_view text) {
  std::string out;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
    line_begins = c == '\n';
  }
  return out;
}

std::string value_of(const CLI::Option& option) {
  return option.get_items_expected_max() > 0 ? " " + option.get_type_name() : "";
}

std::string options_of(const CLI::App& command) {
  std::string page;
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_positional() ? option->get_name(true) : option->get_name(false, true);
    const std::string fallback =
        option->get_default_str().empty() ? "" : " (default: " + option->get_default_str() + ")";
    page += fmt::format(".TP\n\\fB{}\\fR{}\n{}{}\n", roff(name), roff(value_of(*option)),
                        roff(option->get_description()), roff(fallback));
  }
  return page;
}

std::string commands_of(const CLI::App& command, const std::string& path) {
  std::string page;
  for (const CLI::App* below : command.get_subcommands([](const CLI::App*) { return true; })) {
    const std::string name = path + " " + below->get_name();
    page += fmt::format(".SS {}\n{}.\n{}", roff(name), roff(below->get_description()), options_of(*below));
    if (!below->get_footer().empty()) page += fmt::format(".PP\n.nf\n{}\n.fi\n", roff(below->get_footer()));
    page += commands_of(*below, name);
  }
  return page;
}

std::string manual(const CLI::App& app) {
  return fmt::format(
      R"(.\" Written by `portolan manual` from the commands' own help.
.TH PORTOLAN 1 "" "portolan {0}" "User Commands"
.SH NAME
portolan \- LLM gateway: cross\-Region inference with evidence
.SH SYNOPSIS
.B portolan
.I COMMAND
.RI [ OPTION ...]
.SH DESCRIPTION
{1}
.SH COMMANDS
{2}.SH EXIT STATUS
.TP
.B 0
done, allowed, passed
.TP
.B 1
denied, a finding, a failed expectation
.TP
.B 2
the command line or the configuration is wrong
.TP
.B 3
no gateway answered
.SH ENVIRONMENT
.TP
.B PORTOLAN_ADMIN, PORTOLAN_ADMIN_KEY
Admin port of the running gateway and its key, for commands without \-\-admin and \-\-admin\-key.
.TP
.B PORTOLAN_DATA_DIR
Where such commands else look for admin.url and admin.key (default: ./portolan\-data).
)",
      PORTOLAN_VERSION, roff(app.get_description()), commands_of(app, "portolan"));
}

}  // namespace

void add_manual(CLI::App& app, int&) {
  CLI::App* command = app.add_subcommand("manual", "Print the manual page, for man");
  command->footer("Example:\n  portolan manual | man -l -");
  command->callback([&app] { fmt::print("{}", manual(app)); });
}

}  // namespace portolan::cli
