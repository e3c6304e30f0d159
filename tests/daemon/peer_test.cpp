#include "daemon/peer.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

namespace leger::test {

TEST_CASE("the cgroup of a container is told from that of a host's process") {
  for (const char* text :
       {"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-0123abcd.scope/container\n",
        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.service/libpod-payload-0123abcd\n",
        "12:pids:/libpod-1\n0::/\n", "0::/machine.slice/libpod-conmon-1.scope\n"}) {
    CHECK(names_container(text));
  }
  for (const char* text : {"", "0::/\n", "0::/user.slice/user-1000.slice/session-3.scope\n",
                           "0::/app.slice/podman.service\n", "0::/app.slice/libpod.service\n"}) {
    CHECK_FALSE(names_container(text));
  }
}

TEST_CASE("a connection from our own account is known as such") {
  std::array<int, 2> ends{};
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  const Peer peer = unix_peer(ends[0]);
  CHECK(peer.is_unix);
  CHECK(peer.is_own_account);
  close(ends[0]);
  close(ends[1]);
}

TEST_CASE("nobody is trusted where the kernel does not say who it is") {
  const Peer peer = unix_peer(-1);
  CHECK(peer.is_unix);
  CHECK_FALSE(peer.is_own_account);
}

TEST_CASE("a peer whose process is gone is not trusted") {
  // The pair is made, and its credentials are taken, in a child that ends before they are asked for.
  std::array<int, 2> channel{};
  REQUIRE(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, channel.data()) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) _exit(1);
    std::array<char, CMSG_SPACE(sizeof(int))> control{};
    char byte = 0;
    iovec data{.iov_base = &byte, .iov_len = 1};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    *reinterpret_cast<int*>(CMSG_DATA(header)) = ends[0];
    _exit(sendmsg(channel[1], &message, 0) == 1 ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(status == 0);
  std::array<char, CMSG_SPACE(sizeof(int))> control{};
  char byte = 0;
  iovec data{.iov_base = &byte, .iov_len = 1};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  REQUIRE(recvmsg(channel[0], &message, MSG_CMSG_CLOEXEC) == 1);
  const int fd = *reinterpret_cast<int*>(CMSG_DATA(CMSG_FIRSTHDR(&message)));
  CHECK_FALSE(unix_peer(fd).is_own_account);
  close(fd);
  close(channel[0]);
  close(channel[1]);
}

}  // namespace leger::test
