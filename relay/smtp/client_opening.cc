// The opening of a ClientDialogue: greeting, EHLO, STARTTLS and AUTH, up to where transactions may
// begin. What comes then is in client_sending.cc and client_dialogue.cc.
#include <algorithm>
#include <utility>

#include "core/base/ascii.h"
#include "relay/message/own_disposition.h"
#include "relay/smtp/client_dialogue.h"
#include "relay/smtp/reply_meaning.h"

namespace relay {

void ClientDialogue::log_in(const Login& login, std::string nonce) {
    login_ = &login;
    nonce_ = std::move(nonce);
    secrets_.add(login);
}

void ClientDialogue::say_auth(std::string line) {
    secrets_.add_line(line);
    auth_line_ = std::move(line);
    say_auth_ = true;
}

// A server may quote what we logged in with, here or in any later reply; no event, log, report or
// notification must. Only a challenge is left as it came, to be answered.
void ClientDialogue::hide_secrets() {
    if (secrets_.empty()) return;
    const bool challenge = !unanswered_.empty() && unanswered_.front().command == Command::auth &&
                           parser_.reply().intermediate();
    if (!challenge) secrets_.hide(parser_.reply().text);
}

void ClientDialogue::compose_opening() {
    if (say_hello_ || say_helo_) {
        commands_.append(say_helo_ ? "HELO " : "EHLO ").append(ehlo_name_).append("\r\n");
        expect(say_helo_ ? Command::helo : Command::ehlo, nullptr);
        say_hello_ = say_helo_ = false;
    }
    if (std::exchange(say_starttls_, false)) {
        commands_.append("STARTTLS\r\n");
        expect(Command::starttls, nullptr);
    }
    if (std::exchange(say_auth_, false)) {
        commands_.append(std::exchange(auth_line_, {})).append("\r\n");
        expect(Command::auth, nullptr);
    }
}

ClientDialogue::Event ClientDialogue::on_hello(const Unanswered& asked, const Reply& reply) {
    const bool ehlo_unknown =
        asked.command == Command::ehlo &&
        (reply.code == 500 || reply.code == 502 || reply.code == 504 || reply.code == 550);
    if (ehlo_unknown) {  // RFC 5321 section 4.1.1.1
        say_helo_ = true;
        return Event::need_input;
    }
    if (!reply.positive()) {
        return end_session(refusal_by(reply, name_of(asked.command), Scope::session));
    }
    if (asked.command == Command::greeting) {
        (helo_only_ ? say_helo_ : say_hello_) = true;
        return Event::need_input;
    }
    if (reply.code == 220) {  // a second greeting: the replies after it answer something else
        return end_session(session_failure({4, 5, 0}, "a second greeting", name_of(asked.command)));
    }
    extensions_ = {};
    if (asked.command == Command::ehlo) extensions_ = parser_.keywords();
    return after_hello();
}

// STARTTLS is the last command of its group and of its session's first part (RFC 3207 section 4).
ClientDialogue::Event ClientDialogue::after_hello() {
    if (tls_ == TlsWish::if_offered || tls_ == TlsWish::required) {
        if (extensions_.starttls) {
            say_starttls_ = true;
            return Event::need_input;
        }
        if (tls_ == TlsWish::required) {
            tls_missing_ = true;
            return end_session(
                session_failure({4, 7, 5}, "the host does not offer STARTTLS", "EHLO"));
        }
    }
    if (requires_tls_ && !extensions_.require_tls) {
        requirement_missing_ = true;
        return end_session(
            session_failure({4, 7, 30}, "the host does not offer REQUIRETLS", "EHLO"));
    }
    if (login_ == nullptr) {
        greeted_ = true;
        return Event::ready;
    }
    sasl_ = SaslClient::choose(*login_, extensions_.auth, verified_, nonce_);
    if (!sasl_) {
        return end_session(session_failure(
            {4, 7, 0},
            verified_ || login_->insecure ? "the host offers no AUTH mechanism that is known here"
                                          : "the host offers no AUTH mechanism that keeps the "
                                            "password from an unverified host",
            "AUTH"));
    }
    say_auth(sasl_->begin());
    return Event::need_input;
}

ClientDialogue::Event ClientDialogue::on_starttls(const Reply& reply, std::string_view behind) {
    if (!reply.positive()) {
        tls_refused_ = reply.code != 421;
        return end_session(refusal_by(reply, "STARTTLS", Scope::session));
    }
    if (!behind.empty()) {  // it would be taken for a reply from inside TLS: CVE-2021-38371
        tls_injection(behind);
        return Event::closing;
    }
    return Event::start_tls;
}

void ClientDialogue::tls_injection(std::string_view behind) {
    const std::string_view code = behind.substr(0, 3);  // or its beginning: the rest may follow
    tls_injected_ = std::ranges::all_of(code, core::is_digit);
    tls_failed("octets after the reply to STARTTLS");
}

void ClientDialogue::tls_started(bool verified) {
    verified_ = verified;
    tls_ = TlsWish::none;
    extensions_ = {};
    parser_ = {};
    if (!unanswered_.empty()) return;  // TLS from the first octet: the greeting is still to come
    say_hello_ = true;
}

void ClientDialogue::tls_failed(std::string_view reason) {
    end_session(session_failure({4, 7, 5}, std::string(reason), "STARTTLS"));
}

ClientDialogue::Event ClientDialogue::on_auth(const Reply& reply) {
    if (reply.intermediate()) {
        auto answer = sasl_->answer(reply.text);
        if (!answer) {
            return end_session(session_failure({4, 7, 0}, "AUTH: " + answer.error(), "AUTH"));
        }
        say_auth(std::move(*answer));
        return Event::need_input;
    }
    if (!reply.positive()) return end_session(refusal_by(reply, "AUTH", Scope::session));
    if (!sasl_->proven()) {
        return end_session(
            session_failure({4, 7, 0}, "AUTH: the host did not prove that it knows us", "AUTH"));
    }
    sasl_.reset();
    greeted_ = true;
    return Event::ready;
}

}  // namespace relay
