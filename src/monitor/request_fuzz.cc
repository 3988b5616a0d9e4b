#include <cstring>

#include "monitor/request.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  fermata::monitor::Request request;
  if (fermata::monitor::decode_request(data + 1, size - 1, data[0], request) != 0) return 0;
  // An accepted request's data lies inside the packet.
  unsigned sum = 0;
  for (std::uint32_t i = 0; i < request.data_size; ++i) sum += request.data[i];
  static volatile unsigned sink = 0;
  sink = sink + sum;
  return 0;
}
