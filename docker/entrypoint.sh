#!/bin/sh
# Turns the environment variables of Cassandra's image into the node's options; further words are passed on.
set -eu
address=${CASSANDRA_LISTEN_ADDRESS:-auto}
if [ "$address" = auto ]; then address=$(node /opt/belvedere/docker/address.mjs); fi
broadcast=${CASSANDRA_BROADCAST_ADDRESS:-$address}
[ "$broadcast" = auto ] && broadcast=$address
[ "${1:-}" = -f ] && shift
exec node /opt/belvedere/dist/node/launch.mjs node \
  --data "${BELVEDERE_DATA:-/var/lib/cassandra}" \
  --address "$address" --broadcast-address "$broadcast" --native-address "${CASSANDRA_RPC_ADDRESS:-0.0.0.0}" \
  --cluster-name "${CASSANDRA_CLUSTER_NAME:-Test Cluster}" \
  --seeds "${CASSANDRA_SEEDS:-$broadcast}" \
  --data-center "${CASSANDRA_DC:-datacenter1}" --rack "${CASSANDRA_RACK:-rack1}" \
  --tokens "${CASSANDRA_NUM_TOKENS:-16}" \
  ${BELVEDERE_TESTING:+--testing --admin-address 0.0.0.0} "$@"
