#include "cri/pod_names.h"

#include <gtest/gtest.h>

namespace fermata::cri {
namespace {

v1::PodSandboxMetadata web() {
  v1::PodSandboxMetadata pod;
  pod.set_name("web-0");
  pod.set_namespace_("shop");
  pod.set_uid("0a1b");
  pod.set_attempt(3);
  return pod;
}

TEST(PodNames, AreThoseOfKubernetes) {
  v1::ContainerMetadata container;
  container.set_name("nginx");
  container.set_attempt(1);
  EXPECT_EQ(*sandbox_name(web()), "k8s_POD_web-0_shop_0a1b_3");
  EXPECT_EQ(*container_name(container, web()), "k8s_nginx_web-0_shop_0a1b_1");
}

TEST(PodNames, NamelessOnesAreRefused) {
  EXPECT_EQ(sandbox_name({}).error().kind(), ErrorKind::invalid_argument);
  EXPECT_EQ(container_name({}, web()).error().kind(), ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace fermata::cri
