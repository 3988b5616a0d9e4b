#include "cri/client.h"

namespace fermata::cri_test {
namespace {

constexpr double kEventsDeadline = 60;

// Messages may be long: lists of a node with many pods.
std::shared_ptr<grpc::Channel> connect(const std::string& socket) {
  constexpr int kLongest = 64 << 20;
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kLongest);
  // Each client has a connection of its own, so that one after a restart does not wait for the back-off of
  // another.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel("unix://" + socket, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

Client::Client(const std::string& socket) {
  const auto channel = connect(socket);
  runtime_ = v1::RuntimeService::NewStub(channel);
  images_ = v1::ImageService::NewStub(channel);
}

EventStream::EventStream(const Client& client) {
  context_.set_deadline(std::chrono::system_clock::now() +
                        std::chrono::duration_cast<std::chrono::milliseconds>(e2e::scaled(kEventsDeadline)));
  reader_ = client.runtime().GetContainerEvents(&context_, {});
}

EventStream::~EventStream() { context_.TryCancel(); }

bool EventStream::next(v1::ContainerEventResponse& event) { return reader_->Read(&event); }

grpc::Status EventStream::finish() { return reader_->Finish(); }

}  // namespace fermata::cri_test
