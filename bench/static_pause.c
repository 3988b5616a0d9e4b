/* What an infra process costs when it is written the usual way: C, a static C library, signal handlers and pause(2).
   Made from the description of the one that Kubernetes ships; bench/pause compares with it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

static void end(int signal_number) {
  psignal(signal_number, "Shutting down, got signal");
  exit(0);
}

static void reap(int signal_number) {
  (void)signal_number;
  while (waitpid(-1, NULL, WNOHANG) > 0) {
  }
}

static int handle(int signal_number, void (*handler)(int), int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = flags;
  return sigaction(signal_number, &action, NULL);
}

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (strcasecmp(argv[i], "-v") == 0) {
      puts("static pause");
      return 0;
    }
  }
  if (getpid() != 1) fputs("Warning: pause should be the first process\n", stderr);
  if (handle(SIGINT, end, 0) < 0) return 1;
  if (handle(SIGTERM, end, 0) < 0) return 2;
  if (handle(SIGCHLD, reap, SA_NOCLDSTOP) < 0) return 3;
  for (;;) pause();
  fputs("Error: infinite loop terminated\n", stderr);
  return 42;
}
