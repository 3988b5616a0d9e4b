// The engine that the monitor starts when something happened in the pod. One at a time: what happens while it
// runs leads to one more run, so a burst of exits costs two engines at most.
#pragma once

namespace fermata::monitor::event_command {

// argv of the command, kept by reference; an empty one means that nobody wants to know.
void configure(char** arguments, char** environment);
// Starts it, or has it run again.
void notify();
// True when `pid` was the command's: its end has been taken note of.
bool reaped(int pid);

}  // namespace fermata::monitor::event_command
