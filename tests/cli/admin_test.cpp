#include "cli/admin.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "tests/cli/sign_in_harness.h"

namespace leger {
namespace {

using test::failure;
using test::Harness;
using test::Ran;
using test::SignInHarness;
using test::success;

constexpr const char* kRotateKey = "POST /api/admin/keys/data/rotate";
constexpr const char* kRotateKek = "POST /api/admin/keys/kek/rotate";

TEST_CASE("admin rotate-key names the key that is in use") {
  Harness harness;
  harness.api->reply(kRotateKey, 202, success(R"({"key_id":4})"));
  const Ran ran = harness.run({"admin", "rotate-key"});
  CHECK(ran.exit == 0);
  CHECK(ran.out == "✓ Data key 4 is in use. What older keys encrypted is encrypted anew in the background.\n");
  CHECK(harness.run({"admin", "rotate-key", "--json"}).out == "{\"key_id\":4}\n");
}

TEST_CASE("admin rotate-kek hands over the absolute path and says where the new key has to go") {
  Harness harness;
  harness.api->reply(kRotateKek, 202, success("{}"));
  harness.write_file("new key", std::string(32, 'k'));
  std::filesystem::create_directory(harness.folder / "x");
  harness.io.environment["XDG_CONFIG_HOME"] = "/home/al ice/.config";
  const Ran ran = harness.run({"admin", "rotate-kek", "--new-key", harness.folder / "x/../new key"});
  const std::string path = std::filesystem::canonical(harness.folder / "new key").string();
  CHECK(ran.exit == 0);
  CHECK(harness.api->seen().back().body == R"({"new_key_file":")" + path + "\"}");
  CHECK(ran.out.starts_with("✓ The data keys are wrapped with the key of " + path + "\n"));
  CHECK(ran.out.contains("\n  install -m 400 '" + path + "' '/home/al ice/.config/leger/leger.kek'\n"));
  CHECK_FALSE(ran.out.contains("kkkk"));
  harness.io.environment.erase("XDG_CONFIG_HOME");
  harness.io.environment["HOME"] = "/home/alice";
  CHECK(harness.run({"admin", "rotate-kek", "--new-key", path}).out.contains(" /home/alice/.config/leger/leger.kek\n"));
}

TEST_CASE("admin rotate-kek without its file tells how to make one, and asks nobody") {
  Harness harness;
  const Ran ran = harness.run({"admin", "rotate-kek", "--new-key", "/absent/new key"});
  CHECK(ran.exit == 1);
  CHECK(ran.err ==
        "There is no file \"/absent/new key\".\n\n"
        "Make a key of 32 random bytes that nobody else can read:\n"
        "  (umask 277; head -c 32 /dev/urandom > '/absent/new key')\n");
  CHECK(harness.run({"admin", "rotate-kek"}).exit == 2);
  CHECK(harness.api->seen().empty());
}

TEST_CASE("what legerd says against a new key is passed on") {
  Harness harness;
  harness.write_file("new.kek", "k");
  harness.api->reply(kRotateKek, 400,
                     failure(R"({"code":"invalid_request","message":"It has 1 byte.","action":"Make one."})"));
  CHECK(harness.run({"admin", "rotate-kek", "--new-key", harness.folder / "new.kek"}).err ==
        "It has 1 byte.\n\nMake one.\n");
}

TEST_CASE("keys are rotated on legerd's host alone, which a refusal over the network says") {
  SignInHarness harness;
  harness.write_sign_ins({harness.server.url()});
  harness.server.reply(kRotateKey, 403, failure(R"({"code":"insufficient_permissions","message":"No."})"));
  const Ran ran = harness.run_there({"admin", "rotate-key"});
  CHECK(ran.exit == 1);
  CHECK(ran.err == "No.\n\nKeys are rotated on legerd's own host: run this there, without --server.\n");
}

}  // namespace
}  // namespace leger
