// What each verb does; one file per family. Each returns the exit code and throws Failure or Error.
// Thread: main.
#pragma once

#include "config/wg_quick.h"
#include "ctl/client.h"
#include "ctl/console.h"
#include "ctl/verbs.h"

namespace vpntun::ctl {

// commands_control.cc. Several names: goes on after an error and returns the code of the first.
int start(const Options& options, const Console& console);
int stop(const Options& options, const Console& console);
int restart(const Options& options, const Console& console);
int reload(const Options& options, const Console& console);

// commands_status.cc
int status(const Options& options, const Console& console);
int list(const Options& options, const Console& console);
// watch.cc: the same again every second until Ctrl-C; lines of JSON when standard output is no
// terminal.
int watch_status(const Options& options, const Console& console);

// commands_wait.cc
int wait(const Options& options, const Console& console);

// commands_check.cc
int check(const Options& options, const Console& console);

// commands_import.cc
int import(const Options& options, const Console& console);
int export_profile(const Options& options, const Console& console);
// The configuration, or its QR code; before it, on standard error, what it does not say.
void print_conf(const config::WgQuickText& written, const Options& options, const Console& console);

// commands_peer.cc
int peer(const Options& options, const Console& console);

// commands_keys.cc
int genkey(const Options& options, const Console& console);
int genpsk(const Options& options, const Console& console);
int pubkey(const Options& options, const Console& console);
// As wg(8) does when standard output is a file that everybody can read.
void warn_of_readers(const Console& console);

// commands_capture.cc
int capture(const Options& options, const Console& console);

// commands_logs.cc
int logs(const Options& options, const Console& console);

// commands_inject.cc
int inject(const Options& options, const Console& console);

// commands_tools.cc
int lab(const Options& options, const Console& console);
int version(const Options& options, const Console& console);
int completion(const Options& options, const Console& console);

// "vpnctl: WHAT" and what to do next, on standard error.
void report(const Failure& failure, const Console& console);

}  // namespace vpntun::ctl
