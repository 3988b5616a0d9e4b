#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "probe.h"

namespace fermata::e2e::probe {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

Address address_of(const std::string& text, int port) {
  Address result;
  auto& v4 = reinterpret_cast<sockaddr_in&>(result.storage);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(result.storage);
  if (inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(static_cast<std::uint16_t>(port));
    result.size = sizeof v6;
  } else if (inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(static_cast<std::uint16_t>(port));
    result.size = sizeof v4;
  } else {
    fprintf(stderr, "not an address: %s\n", text.c_str());
    exit(90);
  }
  return result;
}

std::string text_of(const sockaddr_storage& storage) {
  char text[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET)
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(storage).sin_addr, text, sizeof text);
  else
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr, text, sizeof text);
  return strncmp(text, "::ffff:", 7) == 0 ? text + 7 : text;
}

// On every address of both families unless told otherwise; IPv4 alone where IPv6 is off.
int bound_socket(int type, const std::string& at, int port) {
  for (const std::string& text : at.empty() ? Arguments{"::", "0.0.0.0"} : Arguments{at}) {
    const Address address = address_of(text, port);
    const int fd = socket(address.storage.ss_family, type | SOCK_CLOEXEC, 0);
    if (fd < 0) continue;
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.size) == 0 &&
        (type != SOCK_STREAM || listen(fd, 64) == 0))
      return fd;
    close(fd);
  }
  fprintf(stderr, "cannot bind port %d: %s\n", port, strerror(errno));
  exit(91);
}

int connected_socket(int type, const std::string& text, int port) {
  const Address address = address_of(text, port);
  const int fd = socket(address.storage.ss_family, type | SOCK_CLOEXEC, 0);
  const timeval patience{.tv_sec = 10, .tv_usec = 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0) {
    fprintf(stderr, "connect: %s\n", strerror(errno));
    exit(92);
  }
  return fd;
}

void send_all(int fd, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t count = write(fd, text.data() + done, text.size() - done);
    if (count <= 0) return;
    done += static_cast<std::size_t>(count);
  }
}

std::string receive_all(int fd) {
  std::string result;
  char block[4096];
  for (;;) {
    const ssize_t size = read(fd, block, sizeof block);
    if (size == 0) return result;
    if (size < 0) {
      fprintf(stderr, "read: %s\n", strerror(errno));
      exit(93);
    }
    result.append(block, static_cast<std::size_t>(size));
  }
}

// Up to the empty line that ends a request's head.
void skip_request(int fd) {
  std::string head;
  char block[1024];
  while (head.find("\r\n\r\n") == std::string::npos) {
    const ssize_t size = read(fd, block, sizeof block);
    if (size <= 0) return;
    head.append(block, static_cast<std::size_t>(size));
  }
}

std::string fetch(const std::string& address, int port) {
  const int fd = connected_socket(SOCK_STREAM, address, port);
  send_all(fd, "GET / HTTP/1.0\r\nHost: probe\r\n\r\n");
  const std::string answer = receive_all(fd);
  close(fd);
  const auto end = answer.find("\r\n\r\n");
  return end == std::string::npos ? "" : answer.substr(end + 4);
}

template <class Body>
int serve(int listener, Body body) {
  printf("ready\n");
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    body(fd);
    close(fd);
  }
}

}  // namespace

int serve_http(const Arguments& arguments) {
  const int listener =
      bound_socket(SOCK_STREAM, arguments.size() > 2 ? arguments[2] : "", atoi(arguments.at(0).c_str()));
  return serve(listener, [&](int fd) {
    skip_request(fd);
    send_all(fd, "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n" + arguments.at(1));
  });
}

int serve_proxy(const Arguments& arguments) {
  signal(SIGCHLD, SIG_IGN);  // no zombie is left per request
  const int target = atoi(arguments.at(1).c_str());
  return serve(bound_socket(SOCK_STREAM, "", atoi(arguments.at(0).c_str())), [&](int fd) {
    skip_request(fd);
    // A child, for fetch() ends the process when the target does not answer.
    const pid_t child = fork();
    if (child == 0) {
      send_all(fd, "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n" + fetch("127.0.0.1", target));
      _exit(0);
    }
  });
}

int serve_echo(const Arguments& arguments) {
  return serve(bound_socket(SOCK_STREAM, "", atoi(arguments.at(0).c_str())), [](int fd) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size);
    send_all(fd, "peer " + text_of(peer) + "\n");
    char block[4096];
    for (ssize_t count = 0; (count = read(fd, block, sizeof block)) > 0;)
      send_all(fd, std::string(block, static_cast<std::size_t>(count)));
  });
}

int serve_datagrams(const Arguments& arguments) {
  const int fd = bound_socket(SOCK_DGRAM, "", atoi(arguments.at(0).c_str()));
  printf("ready\n");
  for (;;) {
    char block[2048];
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    const ssize_t count = recvfrom(fd, block, sizeof block, 0, reinterpret_cast<sockaddr*>(&peer), &size);
    if (count < 0) continue;
    const std::string answer =
        "peer " + text_of(peer) + " " + std::string(block, static_cast<std::size_t>(count));
    sendto(fd, answer.data(), answer.size(), 0, reinterpret_cast<const sockaddr*>(&peer), size);
  }
}

int connect_to(const Arguments& arguments) {
  const int fd = connected_socket(SOCK_STREAM, arguments.at(0), atoi(arguments.at(1).c_str()));
  send_all(fd, arguments.at(2));
  shutdown(fd, SHUT_WR);
  printf("%s\n", receive_all(fd).c_str());
  return 0;
}

int send_datagram(const Arguments& arguments) {
  const int fd = connected_socket(SOCK_DGRAM, arguments.at(0), atoi(arguments.at(1).c_str()));
  send(fd, arguments.at(2).data(), arguments.at(2).size(), 0);
  char block[2048];
  const ssize_t count = recv(fd, block, sizeof block, 0);
  if (count < 0) {
    fprintf(stderr, "recv: %s\n", strerror(errno));
    return 93;
  }
  printf("%.*s\n", static_cast<int>(count), block);
  return 0;
}

int get_http(const Arguments& arguments) {
  printf("%s\n", fetch(arguments.at(0), atoi(arguments.at(1).c_str())).c_str());
  return 0;
}

}  // namespace fermata::e2e::probe
