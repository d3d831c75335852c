{
  "variables": {
    "netlink_sources": [
      "native/netlink/channel.cc",
      "native/netlink/exchange.cc",
      "native/netlink/family.cc",
      "native/netlink/network_namespace.cc",
      "native/netlink/ring.cc",
      "native/netlink/socket.cc",
      "native/netlink/transaction.cc"
    ],
    "ipvs_sources": [
      "native/ipvs/client.cc",
      "native/ipvs/decode.cc",
      "native/ipvs/reply.cc",
      "native/ipvs/request.cc"
    ],
    "node_sources": [
      "native/node/addon.cc",
      "native/node/arp_socket.cc",
      "native/node/channel_handle.cc",
      "native/node/handle.cc",
      "native/node/open.cc",
      "native/node/schema.cc",
      "native/node/session.cc",
      "native/node/thread_network.cc",
      "native/node/worker.cc"
    ],
    "test_sources": [
      "native/test/check.cc",
      "native/test/client_test.cc",
      "native/test/decode_test.cc",
      "native/test/encode_test.cc",
      "native/test/socket_test.cc",
      "native/test/transaction_test.cc",
      "native/test/worker_test.cc"
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
