#include "image/transfer/changes.h"

#include <gtest/gtest.h>

namespace fermata::image {
namespace {

oci::ImageConfig with(std::initializer_list<const char*> changes) {
  oci::ImageConfig config;
  for (const char* change : changes) {
    const auto applied = apply_change(config, change);
    EXPECT_TRUE(applied) << change << ": " << (applied ? "" : applied.error().message());
  }
  return config;
}

TEST(Changes, CommandsInBothForms) {
  const auto config = with({R"(CMD ["nginx", "-g", "daemon off;"])", "entrypoint exec app $HOME"});
  EXPECT_EQ(config.cmd, (std::vector<std::string>{"nginx", "-g", "daemon off;"}));
  EXPECT_EQ(config.entrypoint, (std::vector<std::string>{"/bin/sh", "-c", "exec app $HOME"}));
}

TEST(Changes, EnvironmentInBothForms) {
  const auto config = with({"ENV A=1 B='two words'", "ENV C the rest of it", "ENV A=2"});
  EXPECT_EQ(config.env, (std::vector<std::string>{"B=two words", "C=the rest of it", "A=2"}));
}

TEST(Changes, PortsVolumesLabelsAndTheRest) {
  const auto config = with({"EXPOSE 80 53/udp 90-92", R"(VOLUME ["/data", "/more"])", "LABEL a=b", "USER 7:8",
                            "WORKDIR /srv", "WORKDIR sub", "STOPSIGNAL SIGQUIT"});
  EXPECT_EQ(config.exposed_ports,
            (std::vector<std::string>{"80/tcp", "53/udp", "90/tcp", "91/tcp", "92/tcp"}));
  EXPECT_EQ(config.volumes, (std::vector<std::string>{"/data", "/more"}));
  EXPECT_EQ(config.labels.at("a"), "b");
  EXPECT_EQ(config.user, "7:8");
  EXPECT_EQ(config.working_dir, "/srv/sub");
  EXPECT_EQ(config.stop_signal, "SIGQUIT");
}

TEST(Changes, RefusesWhatItCannotDo) {
  oci::ImageConfig config;
  for (const char* bad :
       {"", "RUN rm -rf /", "ONBUILD CMD x", "CMD", "ENV", "ENV A", "ENV A='x", "EXPOSE 0", "EXPOSE 70000",
        "EXPOSE 92-90", "EXPOSE 1-70000", "EXPOSE 1-", "EXPOSE 80/http", "VOLUME relative"})
    EXPECT_FALSE(apply_change(config, bad)) << bad;
  EXPECT_NE(apply_change(config, "RUN x").error().message().find("RUN is not a valid change command"),
            std::string::npos);
}

}  // namespace
}  // namespace fermata::image
