#pragma once

// Signing in: an identity is proven, the account recorded, a session issued; and the one-time codes that carry a
// sign-in from one client of a person to another. Loop thread.

#include <optional>
#include <string>

#include "backend/base/error.h"
#include "backend/base/task.h"
#include "backend/service/accounts.h"
#include "backend/service/identities.h"
#include "backend/service/session_service.h"
#include "backend/service/sign_in_codes.h"

namespace leger {

// What a client claims to be. Compared with what was proven where it is given; it creates nothing.
struct Claims {
  std::string user_id;  // decimal, a leading `u` removed
  std::string device_id;
  std::string email;
  ClientNotes notes;
};

struct SignedIn {
  IssuedToken issued;
  User user;
};

class SignIns {
 public:
  // All outlive this.
  SignIns(Identities& identities, Accounts& accounts, SessionService& sessions, const Clock& clock);

  // All are on record as asked for by `actor`, whose user is not known yet.
  // tailscale_verification_failed where the claims are not what was proven.
  Task<Result<SignedIn>> by_claims(Actor actor, PeerAddress peer, Claims claims);
  Task<Result<SignedIn>> by_browser(Actor actor, PeerAddress peer);

  // A code for another client of the person who has proven `binding`.
  Result<std::string> issue_code(std::string user_uuid, std::string binding, std::string challenge);
  // A session for the code, if `peer` is who it was issued to; else as SignInCodes says, or
  // tailscale_verification_failed with the reason `identity`. The code is used up in any case.
  Task<Result<SignedIn>> exchange(Actor actor, PeerAddress peer, std::string code, std::string verifier,
                                  std::string client);

 private:
  Task<Result<SignedIn>> sign_in(Actor actor, Identity identity, ClientNotes notes, std::string client);
  Task<Result<ClientNotes>> prove_binding(PeerAddress peer, std::string binding);

  Identities& identities_;
  Accounts& accounts_;
  SessionService& sessions_;
  SignInCodes codes_;
};

}  // namespace leger
