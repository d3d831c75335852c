{
  "variables": {
    "netlink_sources": [
      "netlink/channel.cc",
      "netlink/exchange.cc",
      "netlink/family.cc",
      "netlink/network_namespace.cc",
      "netlink/socket.cc",
      "netlink/transaction.cc"
    ],
    "ipvs_sources": [
      "ipvs/client.cc",
      "ipvs/decode.cc",
      "ipvs/group.cc",
      "ipvs/reply.cc",
      "ipvs/request.cc"
    ],
    "node_sources": [
      "node/addon.cc",
      "node/neighbour_socket.cc",
      "node/channel_handle.cc",
      "node/fifo.cc",
      "node/handle.cc",
      "node/open.cc",
      "node/schema.cc",
      "node/session.cc",
      "node/thread_network.cc",
      "node/worker.cc"
    ],
    "runtime_sources": [
      "node/runtime.cc"
    ],
    "test_sources": [
      "test/check.cc",
      "test/client_test.cc",
      "test/decode_test.cc",
      "test/encode_test.cc",
      "test/socket_test.cc",
      "test/transaction_test.cc",
      "test/worker_test.cc"
    ],
    "fuzz_targets": [
      "attributes",
      "client",
      "config",
      "daemon",
      "destination",
      "family",
      "info",
      "requests",
      "service",
      "transaction"
    ]
  }
}
