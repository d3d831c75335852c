// The family's commands: the content of their packed requests and of the kernel's answers.
#pragma once

#include <linux/ip_vs.h>

#include <array>
#include <cstdint>
#include <string_view>

namespace ipvs {

/// What follows the header of a packed request.
enum class Body : std::uint8_t { none, service, serviceAndDestination, daemon, config };

/// The records that answer a command, besides success or refusal.
enum class Answer : std::uint8_t { none, service, destination, daemon, config, info };

/// How a request for records must be sent.
enum class Asking : std::uint8_t {
  single,  ///< as a plain request
  dump,    ///< as a dump, whatever the packed request's flag says: a plain one fails with EOPNOTSUPP
  both,    ///< as the packed request's flag says
};

struct Command {
  std::string_view name;
  std::uint8_t number;
  Body body;
  bool bodyOptional;
  Answer answer;
  Asking asking;
};

inline constexpr std::array commands{
    Command{"newService", IPVS_CMD_NEW_SERVICE, Body::service, false, Answer::none, Asking::single},
    Command{"setService", IPVS_CMD_SET_SERVICE, Body::service, false, Answer::none, Asking::single},
    Command{"delService", IPVS_CMD_DEL_SERVICE, Body::service, false, Answer::none, Asking::single},
    Command{"getService", IPVS_CMD_GET_SERVICE, Body::service, true, Answer::service, Asking::both},
    Command{"newDest", IPVS_CMD_NEW_DEST, Body::serviceAndDestination, false, Answer::none, Asking::single},
    Command{"setDest", IPVS_CMD_SET_DEST, Body::serviceAndDestination, false, Answer::none, Asking::single},
    Command{"delDest", IPVS_CMD_DEL_DEST, Body::serviceAndDestination, false, Answer::none, Asking::single},
    Command{"getDest", IPVS_CMD_GET_DEST, Body::service, false, Answer::destination, Asking::dump},
    Command{"newDaemon", IPVS_CMD_NEW_DAEMON, Body::daemon, false, Answer::none, Asking::single},
    Command{"delDaemon", IPVS_CMD_DEL_DAEMON, Body::daemon, false, Answer::none, Asking::single},
    Command{"getDaemon", IPVS_CMD_GET_DAEMON, Body::none, false, Answer::daemon, Asking::dump},
    Command{"setConfig", IPVS_CMD_SET_CONFIG, Body::config, false, Answer::none, Asking::single},
    Command{"getConfig", IPVS_CMD_GET_CONFIG, Body::none, false, Answer::config, Asking::single},
    Command{"getInfo", IPVS_CMD_GET_INFO, Body::none, false, Answer::info, Asking::single},
    Command{"zero", IPVS_CMD_ZERO, Body::service, true, Answer::none, Asking::single},
    Command{"flush", IPVS_CMD_FLUSH, Body::none, false, Answer::none, Asking::single},
};

/// Finds a command by its number; null if there is none.
inline const Command* commandOf(unsigned number) {
  static constexpr auto byNumber = [] {
    std::array<std::uint8_t, IPVS_CMD_MAX + 1> indices{};
    for (std::size_t i = 0; i < commands.size(); ++i)
      indices[commands[i].number] = static_cast<std::uint8_t>(i + 1);
    return indices;
  }();
  if (number >= byNumber.size() || byNumber[number] == 0) return nullptr;
  return &commands[byNumber[number] - 1];
}

}  // namespace ipvs
