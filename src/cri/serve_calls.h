// A line for each call of api.proto: which part serves it. For classes that derive from a generated service
// and have parts_ and calls_.
#pragma once

#include <cri_protocol/api.grpc.pb.h>

#include "cri/calls.h"
#include "cri/protocol.h"

#define FERMATA_SERVE(part, Method)                                                                          \
  grpc::Status Method(grpc::ServerContext* context, const v1::Method##Request* request,                      \
                      v1::Method##Response* response) override {                                             \
    return calls_.run(#Method, *request, [&] { return parts_.part.Method(*context, *request, *response); }); \
  }
#define FERMATA_SERVE_STREAM_OF(part, Method, Request, Response)                                           \
  grpc::Status Method(grpc::ServerContext* context, const v1::Request* request,                            \
                      grpc::ServerWriter<v1::Response>* writer) override {                                 \
    return calls_.run(#Method, *request, [&] { return parts_.part.Method(*context, *request, *writer); }); \
  }
#define FERMATA_SERVE_STREAM(part, Method) \
  FERMATA_SERVE_STREAM_OF(part, Method, Method##Request, Method##Response)
