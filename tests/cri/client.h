// A client of the Container Runtime Interface: every call of the protocol with a deadline, on one socket.
// Thread-safe.
#pragma once

#include <cri_protocol/api.grpc.pb.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "e2e/support/process.h"

namespace fermata::cri_test {

namespace v1 = ::runtime::v1;
using Runtime = v1::RuntimeService::StubInterface;
using ImageStore = v1::ImageService::StubInterface;

inline constexpr double kDeadline = 60;  // seconds for a call, scaled

// What a call came to: a message, or the status that it was refused with.
template <typename Message>
class [[nodiscard]] Reply {
 public:
  Reply(grpc::Status status, Message message) : status_(std::move(status)), message_(std::move(message)) {}
  bool ok() const { return status_.ok(); }
  grpc::StatusCode code() const { return status_.error_code(); }
  std::string error() const { return status_.error_message(); }
  const Message& operator*() const { return message_; }
  const Message* operator->() const { return &message_; }

 private:
  grpc::Status status_;
  Message message_;
};
// For assertion messages.
template <typename Message>
std::ostream& operator<<(std::ostream& stream, const Reply<Message>& reply) {
  return stream << "code " << reply.code() << ": " << reply.error();
}

class Client {
 public:
  explicit Client(const std::string& socket);

  // client.call(&Runtime::StartContainer, request)
  template <typename Service, typename Request, typename Response>
  Reply<Response> call(grpc::Status (Service::*method)(grpc::ClientContext*, const Request&, Response*),
                       const Request& request, double seconds = kDeadline) const {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + deadline(seconds));
    Response response;
    grpc::Status status = (service(static_cast<Service*>(nullptr)).*method)(&context, request, &response);
    return {std::move(status), std::move(response)};
  }
  // A call that answers with a stream, to its end.
  template <typename Service, typename Request, typename Response>
  Reply<std::vector<Response>> collect(std::unique_ptr<grpc::ClientReaderInterface<Response>> (
                                           Service::*method)(grpc::ClientContext*, const Request&),
                                       const Request& request) const {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + deadline(kDeadline));
    std::vector<Response> responses;
    const auto reader = (service(static_cast<Service*>(nullptr)).*method)(&context, request);
    for (Response response; reader->Read(&response);) responses.push_back(response);
    return {reader->Finish(), std::move(responses)};
  }
  Runtime& runtime() const { return *runtime_; }

 private:
  static std::chrono::milliseconds deadline(double seconds) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(e2e::scaled(seconds));
  }
  // The null pointer only names the service.
  Runtime& service(const Runtime*) const { return *runtime_; }
  ImageStore& service(const ImageStore*) const { return *images_; }

  std::unique_ptr<Runtime> runtime_;
  std::unique_ptr<ImageStore> images_;
};

// Container events as they come, from the construction on.
class EventStream {
 public:
  explicit EventStream(const Client& client);
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;
  ~EventStream();

  // The next event; false when the stream has ended. The stream ends at its deadline, so this returns.
  bool next(v1::ContainerEventResponse& event);
  // Of a stream that has ended.
  grpc::Status finish();

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderInterface<v1::ContainerEventResponse>> reader_;
};

}  // namespace fermata::cri_test
