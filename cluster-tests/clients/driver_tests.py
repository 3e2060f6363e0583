"""What the Python driver does against three nodes on protocol v5 with LZ4. Every function test_* is a test.

python driver_tests.py ADDRESS PORT ADMIN_PORT THIRD [test_...]: runs them in order and prints one JSON object, name to "ok" or to a traceback.
REQUIRES: three nodes of one data centre, started for testing, ADDRESS being one's and THIRD another's number.
"""
import datetime, decimal, json, sys, time, traceback, urllib.request, uuid

from cassandra import ConsistencyLevel, FunctionFailure, InvalidRequest, ReadTimeout, Unavailable, WriteTimeout, WriteType
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import FallthroughRetryPolicy, WhiteListRoundRobinPolicy
from cassandra.protocol import SyntaxException
from cassandra.query import BatchStatement, BatchType, SimpleStatement, UNSET_VALUE, named_tuple_factory
from cassandra.util import Date, Duration, OrderedMapSerializedKey, SortedSet, Time

address, port, admin_port, third = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])


def connect():
    """Talks to the first node only, at QUORUM, and tries nothing again."""
    profile = ExecutionProfile(
        load_balancing_policy=WhiteListRoundRobinPolicy([address]), retry_policy=FallthroughRetryPolicy(),
        consistency_level=ConsistencyLevel.QUORUM, request_timeout=20, row_factory=named_tuple_factory)
    return Cluster([address], port=port, protocol_version=5, compression="lz4", execution_profiles={EXEC_PROFILE_DEFAULT: profile}, schema_event_refresh_window=0)


cluster = connect()
session = cluster.connect()
session.execute("CREATE KEYSPACE py WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
session.set_keyspace("py")


def until(check, what):
    deadline = time.monotonic() + 20
    while not check():
        assert time.monotonic() < deadline, "never " + what
        time.sleep(0.02)


def raises(kind, run, words=""):
    try:
        run()
    except kind as error:
        assert words in str(error), str(error)
        return error
    raise AssertionError("no " + kind.__name__)


def fault(query):
    urllib.request.urlopen(urllib.request.Request("http://%s:%d/fault?%s" % (address, admin_port, query), method="POST")).read()


def third_is_up():
    return third in json.load(urllib.request.urlopen("http://%s:%d/health" % (address, admin_port)))["up"]


def test_protocol_and_compression():
    assert cluster.protocol_version == 5
    connection = cluster.control_connection._connection
    assert connection.compressor is not None and type(connection._socket).__name__ == "socket"
    assert connection._is_checksumming_enabled
    # Larger than one segment, and hardly compressible: several segments each way.
    session.execute("CREATE TABLE large (id int PRIMARY KEY, v blob)")
    value = b"".join(uuid.uuid4().bytes for _ in range(30000))
    session.execute("INSERT INTO large (id, v) VALUES (%s, %s)", (1, value))
    session.execute("INSERT INTO large (id, v) VALUES (%s, %s)", (2, b"\0" * 2_000_000))
    assert session.execute("SELECT v FROM large WHERE id = 1").one().v == value
    assert session.execute("SELECT v FROM large WHERE id = 2").one().v == b"\0" * 2_000_000


def test_all_versions():
    for version in (3, 4, 5):
        for compression in ("lz4", False) if version == 5 else ("lz4", "snappy", False):
            other = Cluster([address], port=port, protocol_version=version, compression=compression)
            session = other.connect()
            row = session.execute("SELECT cluster_name FROM system.local").one()
            assert row.cluster_name == "Test Cluster", row
            long = "long " * 2000
            row = session.execute("SELECT (text)'" + long + "' AS long FROM system.local").one()
            assert row.long == long, row
            other.shutdown()
    highest = Cluster([address], port=port)
    highest.connect()
    assert highest.protocol_version == 5
    highest.shutdown()


VALUES = {
    "ascii": "ascii", "bigint": -(2 ** 63), "blob": b"\x00\xff", "boolean": True, "date": Date("1066-10-14"), "decimal": decimal.Decimal("-0.000000001"),
    "double": 1e300, "duration": Duration(14, 3, 14706007008009), "float": 1.5, "inet": "2001:db8::1", "int": -1, "smallint": -32768, "text": "tëxt\0\n",
    "time": Time("13:14:15.123456789"), "timestamp": datetime.datetime(2024, 2, 29, 12, 34, 56, 789000), "timeuuid": uuid.uuid1(), "tinyint": -128,
    "uuid": uuid.uuid4(), "varint": -(2 ** 100),
    "list<text>": ["b", "a", "b"], "set<int>": {3, 1, 2}, "map<text, double>": {"z": 1.5, "a": -0.0}, "frozen<list<frozen<set<int>>>>": [{1, 2}, {3}],
    "tuple<int, text, frozen<list<int>>>": (1, None, [2]), "vector<float, 3>": [1.0, 2.5, -3.0], "map<uuid, frozen<map<int, text>>>": {uuid.UUID(int=5): {1: "x"}},
}


def test_values_of_every_type():
    columns = ["c%d" % index for index in range(len(VALUES))]
    session.execute("CREATE TABLE types (id int PRIMARY KEY, %s)" % ", ".join(c + " " + t for c, t in zip(columns, VALUES)))
    insert = session.prepare("INSERT INTO types (id, %s) VALUES (?%s)" % (", ".join(columns), ", ?" * len(columns)))
    select = session.prepare("SELECT %s FROM types WHERE id = ?" % ", ".join(columns))
    session.execute(insert, [1, *VALUES.values()])
    session.execute(insert, [2] + [None] * len(columns))
    session.execute(insert, [3, *VALUES.values()])
    session.execute(insert, [3] + [UNSET_VALUE] * len(columns))
    for id in (1, 3):
        for (cql_type, expected), value in zip(VALUES.items(), session.execute(select, [id]).one()):
            if isinstance(value, OrderedMapSerializedKey): value = dict(value)
            if isinstance(value, SortedSet): value = set(value)
            if cql_type.startswith("frozen"): value = [set(element) for element in value]
            if cql_type.startswith("map<uuid"): value = {key: dict(inner) for key, inner in value.items()}
            assert value == expected, (cql_type, expected, value)
    assert all(value is None for value in session.execute(select, [2]).one())
    row = session.execute("SELECT c0 FROM types WHERE id = 4").one()
    assert row is None


def test_user_types():
    session.execute("CREATE TYPE address (street text, zips frozen<list<int>>)")
    session.execute("CREATE TABLE people (id int PRIMARY KEY, home frozen<address>, moving address)")
    session.execute("INSERT INTO people (id, home, moving) VALUES (1, {street: 'Main', zips: [1, 2]}, {street: 'A'})")
    session.execute("UPDATE people SET moving.zips = [3] WHERE id = 1")
    row = session.execute("SELECT home, moving FROM people").one()
    assert (row.home.street, row.home.zips) == ("Main", [1, 2]), row
    assert (row.moving.street, row.moving.zips) == ("A", [3]), row
    assert cluster.metadata.keyspaces["py"].user_types["address"].field_types == ["text", "frozen<list<int>>"]


def test_pages():
    session.execute("CREATE TABLE paged (id int, c int, v text, PRIMARY KEY (id, c))")
    insert = session.prepare("INSERT INTO paged (id, c, v) VALUES (?, ?, ?)")
    expected = {(n % 37, n) for n in range(4000)}
    for futures in (range(start, start + 500) for start in range(0, 4000, 500)):
        for future in [session.execute_async(insert, (n % 37, n, "v%d" % n)) for n in futures]: future.result()
    for fetch_size in (71, 1000):
        for statement in (SimpleStatement("SELECT id, c FROM paged", fetch_size=fetch_size), session.prepare("SELECT id, c FROM paged")):
            statement.fetch_size = fetch_size
            result, pages, seen = session.execute(statement), 0, []
            while True:
                assert len(result.current_rows) <= fetch_size
                seen += [tuple(row) for row in result.current_rows]
                pages += 1
                if not result.has_more_pages: break
                result.fetch_next_page()
            assert len(seen) == 4000 and set(seen) == expected, len(seen)
            assert pages >= 4000 // fetch_size
    # A page is picked up where another client left it, within a partition and backwards too.
    statement = SimpleStatement("SELECT c FROM paged WHERE id = 5 ORDER BY c DESC", fetch_size=10)
    first = session.execute(statement)
    rest = session.execute(statement, paging_state=first.paging_state)
    found = [row.c for row in first.current_rows] + [row.c for row in rest]
    assert found == [n for n in range(3999, -1, -1) if n % 37 == 5], found
    limited = SimpleStatement("SELECT c FROM paged LIMIT 150", fetch_size=40)
    assert len(list(session.execute(limited))) == 150
    assert session.execute("SELECT COUNT(*) FROM paged").one()[0] == 4000
    assert session.execute("SELECT COUNT(*) FROM paged").response_future.warnings == ["Aggregation query used without partition key"]


def test_prepared_statements():
    session.execute("CREATE TABLE prepared (id int, c text, v int, PRIMARY KEY (id, c))")
    insert = session.prepare("INSERT INTO prepared (id, c, v) VALUES (:id, :c, :v)")
    assert [column.name for column in insert.column_metadata] == ["id", "c", "v"]
    assert insert.routing_key_indexes == [0]
    assert insert.bind((5, "x", 7)).routing_key == b"\x00\x00\x00\x05"
    session.execute(insert, {"id": 1, "c": "a", "v": 10})
    select = session.prepare("SELECT * FROM prepared WHERE id = ? AND c IN ?")
    assert [tuple(row) for row in session.execute(select, (1, ["a", "b"]))] == [(1, "a", 10)]
    assert select.result_metadata is not None and select.result_metadata_id is not None
    # The same text has the same id, whoever prepares it.
    other = connect()
    assert other.connect("py").prepare("SELECT * FROM prepared WHERE id = ? AND c IN ?").query_id == select.query_id
    other.shutdown()
    assert [tuple(row) for row in session.execute(session.prepare("SELECT c FROM prepared WHERE id = :i LIMIT :n"), {"i": 1, "n": 5})] == [("a",)]
    raises(InvalidRequest, lambda: session.prepare("SELECT nope FROM prepared"), "Undefined column name nope in table py.prepared")


def test_metadata_id_changes_with_the_table():
    session.execute("CREATE TABLE altered (id int PRIMARY KEY, b int)")
    session.execute("INSERT INTO altered (id, b) VALUES (1, 2)")
    select = session.prepare("SELECT * FROM altered WHERE id = ?")
    before = select.result_metadata_id
    assert tuple(session.execute(select, [1]).one()) == (1, 2)
    session.execute("ALTER TABLE altered ADD a text")
    session.execute("UPDATE altered SET a = 'new' WHERE id = 1")
    row = session.execute(select, [1]).one()
    assert row._fields == ("id", "a", "b") and tuple(row) == (1, "new", 2), row
    # The driver keeps its old id, so that the answer says again what it holds; prepared again, it has the new one.
    again = session.prepare("SELECT * FROM altered WHERE id = ?")
    assert again.query_id == select.query_id and again.result_metadata_id != before
    assert tuple(session.execute(again, [1]).one()) == (1, "new", 2)
    session.execute("ALTER TABLE altered DROP b")
    row = session.execute(select, [1]).one()
    assert row._fields == ("id", "a") and tuple(row) == (1, "new"), row
    assert session.execute(again, [1]).one()._fields == ("id", "a")


def test_reprepared_after_the_server_forgot():
    session.execute("CREATE TABLE forgotten (id int PRIMARY KEY, v int)")
    insert = session.prepare("INSERT INTO forgotten (id, v) VALUES (?, ?)")
    session.execute("DROP TABLE forgotten")
    raises(InvalidRequest, lambda: session.execute(insert, (1, 1)), "table forgotten does not exist")
    session.execute("CREATE TABLE forgotten (id int PRIMARY KEY, v int)")
    session.execute(insert, (1, 1))
    assert tuple(session.execute("SELECT * FROM forgotten").one()) == (1, 1)


def test_batches():
    session.execute("CREATE TABLE batched (id int, c int, v text, PRIMARY KEY (id, c))")
    insert = session.prepare("INSERT INTO batched (id, c, v) VALUES (?, ?, ?)")
    for kind in (BatchType.LOGGED, BatchType.UNLOGGED):
        batch = BatchStatement(kind)
        for n in range(20): batch.add(insert, (n % 4, n, "p"))
        batch.add("INSERT INTO batched (id, c, v) VALUES (%s, %s, %s)", (9, 9, "it's"))
        batch.add(SimpleStatement("DELETE FROM batched WHERE id = 0"))
        session.execute(batch)
        found = {(row.id, row.c, row.v) for row in session.execute("SELECT * FROM batched")}
        assert found == {(n % 4, n, "p") for n in range(20) if n % 4 != 0} | {(9, 9, "it's")}, found
        session.execute("TRUNCATE batched")
    batch = BatchStatement(BatchType.UNLOGGED)
    batch.add(insert, (1, 1, "old"))
    batch.add(insert, (1, 1, "same batch, greater value"))
    session.execute(batch)
    assert session.execute("SELECT v FROM batched").one().v == "same batch, greater value"
    counted = BatchStatement(BatchType.COUNTER)
    counted.add(insert, (1, 1, "x"))
    raises(InvalidRequest, lambda: session.execute(counted), "Cannot include non-counter statement in a counter batch")
    unbound = BatchStatement()
    unbound.add("INSERT INTO batched (id, c) VALUES (?, 1)")
    raises(InvalidRequest, lambda: session.execute(unbound), "There were 1 markers(?) in CQL but 0 bound variables")
    reading = BatchStatement()
    reading.add("SELECT * FROM batched")
    raises(InvalidRequest, lambda: session.execute(reading), "only UPDATE, INSERT and DELETE statements are allowed")


def test_timestamps_and_ttl():
    session.execute("CREATE TABLE timed (id int PRIMARY KEY, v text, w text)")
    session.execute("INSERT INTO timed (id, v) VALUES (1, 'newer') USING TIMESTAMP 2000")
    session.execute("INSERT INTO timed (id, v) VALUES (1, 'older') USING TIMESTAMP 1000")
    update = session.prepare("UPDATE timed USING TIMESTAMP ? AND TTL ? SET w = ? WHERE id = ?")
    session.execute(update, (3000, 3600, "kept an hour", 1))
    row = session.execute("SELECT v, writetime(v) AS at, ttl(v) AS v_ttl, w, ttl(w) AS w_ttl, writetime(w) AS w_at FROM timed").one()
    assert (row.v, row.at, row.v_ttl, row.w, row.w_at) == ("newer", 2000, None, "kept an hour", 3000), row
    assert 3500 < row.w_ttl <= 3600, row
    # The driver's clock gives the timestamp of everything else.
    before = int(time.time() * 1e6) - 5_000_000
    session.execute("UPDATE timed SET v = 'now' WHERE id = 1")
    row = session.execute("SELECT v, writetime(v) AS at FROM timed").one()
    assert row.v == "now" and before < row.at < before + 60_000_000, row
    session.execute("UPDATE timed USING TTL 1 SET w = 'soon gone' WHERE id = 1")
    until(lambda: session.execute("SELECT w FROM timed").one().w is None, "expired")
    session.execute("DELETE FROM timed USING TIMESTAMP 10 WHERE id = 1")
    assert session.execute("SELECT v FROM timed").one().v == "now"


def test_schema_metadata():
    session.execute("CREATE TABLE base (id int, ck text, a int, b text, m map<text, frozen<list<int>>>, s int STATIC, PRIMARY KEY (id, ck)) "
                    "WITH CLUSTERING ORDER BY (ck DESC) AND comment = 'it''s a base' AND gc_grace_seconds = 5000")
    session.execute("CREATE MATERIALIZED VIEW by_a AS SELECT id, ck, a, b FROM base WHERE a IS NOT NULL AND id IS NOT NULL AND ck IS NOT NULL PRIMARY KEY (a, id, ck)")
    keyspace = cluster.metadata.keyspaces["py"]
    assert keyspace.replication_strategy.export_for_schema() == "{'class': 'SimpleStrategy', 'replication_factor': '3'}"
    table, view = keyspace.tables["base"], keyspace.views["by_a"]
    assert list(table.columns) == ["id", "ck", "a", "b", "m", "s"], list(table.columns)
    assert [c.name for c in table.partition_key] == ["id"] and [c.name for c in table.clustering_key] == ["ck"]
    assert table.columns["ck"].is_reversed and table.columns["s"].is_static and table.columns["m"].cql_type == "map<text, frozen<list<int>>>"
    assert table.options["comment"] == "it's a base" and table.options["gc_grace_seconds"] == 5000 and table.is_cql_compatible and not table.virtual
    assert table.views == {"by_a": view} and view.base_table_name == "base"
    assert not view.include_all_columns and view.where_clause == "a IS NOT NULL AND id IS NOT NULL AND ck IS NOT NULL"
    assert [c.name for c in view.partition_key] == ["a"] and [c.name for c in view.clustering_key] == ["id", "ck"]
    assert list(view.columns) == ["a", "id", "ck", "b"], list(view.columns)
    # What the driver prints can be run again, and the same comes out.
    text = view.as_cql_query(formatted=True)
    assert text.startswith("CREATE MATERIALIZED VIEW py.by_a AS\n    SELECT a, id, ck, b\n    FROM py.base\n    WHERE a IS NOT NULL"), text
    session.execute("DROP MATERIALIZED VIEW by_a")
    assert "by_a" not in keyspace.views and "by_a" not in table.views
    exported = table.export_as_string()
    session.execute("DROP TABLE base")
    for statement in (exported, text): session.execute(statement)
    table, view = keyspace.tables["base"], keyspace.views["by_a"]
    assert table.as_cql_query(formatted=True) + ";" in exported and view.as_cql_query(formatted=True) == text
    assert keyspace.export_as_string().count("CREATE MATERIALIZED VIEW py.by_a") == 1
    assert cluster.metadata.keyspaces["system_views"].virtual and cluster.metadata.keyspaces["system_views"].tables["clients"].virtual
    assert "CREATE KEYSPACE py" in cluster.metadata.export_schema_as_string()


def test_views_through_the_driver():
    session.execute("CREATE TABLE moving (id int PRIMARY KEY, a int, b text)")
    session.execute("CREATE MATERIALIZED VIEW moving_by_a AS SELECT * FROM moving WHERE a IS NOT NULL AND id IS NOT NULL PRIMARY KEY (a, id)")
    insert = session.prepare("INSERT INTO moving (id, a, b) VALUES (?, ?, ?)")
    for n in range(300): session.execute(insert, (n % 100, n % 7, "v%d" % n))
    expected = sorted((n % 7, n % 100, "v%d" % n) for n in range(200, 300))
    view = SimpleStatement("SELECT a, id, b FROM moving_by_a", fetch_size=9, consistency_level=ConsistencyLevel.ALL)
    until(lambda: sorted(tuple(row) for row in session.execute(view)) == expected, "the base's rows: %s" % sorted(tuple(row) for row in session.execute(view)))


def test_schema_events():
    other = connect()
    elsewhere = other.connect("py")
    tables = cluster.metadata.keyspaces["py"].tables
    elsewhere.execute("CREATE TABLE elsewhere (id int PRIMARY KEY)")
    until(lambda: "elsewhere" in tables, "saw the table of another client")
    elsewhere.execute("ALTER TABLE elsewhere ADD v text")
    until(lambda: "v" in tables["elsewhere"].columns, "saw the column of another client")
    elsewhere.execute("CREATE MATERIALIZED VIEW elsewhere_by_v AS SELECT * FROM elsewhere WHERE v IS NOT NULL AND id IS NOT NULL PRIMARY KEY (v, id)")
    until(lambda: "elsewhere_by_v" in cluster.metadata.keyspaces["py"].views, "saw the view")
    elsewhere.execute("DROP MATERIALIZED VIEW elsewhere_by_v")
    until(lambda: "elsewhere_by_v" not in cluster.metadata.keyspaces["py"].views, "saw the view gone")
    elsewhere.execute("DROP TABLE elsewhere")
    until(lambda: "elsewhere" not in tables, "saw the table gone")
    elsewhere.execute("CREATE TYPE elsewhere_type (a int)")
    until(lambda: "elsewhere_type" in cluster.metadata.keyspaces["py"].user_types, "saw the type")
    elsewhere.execute("CREATE KEYSPACE py_elsewhere WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    until(lambda: "py_elsewhere" in cluster.metadata.keyspaces, "saw the keyspace")
    elsewhere.execute("DROP KEYSPACE py_elsewhere")
    until(lambda: "py_elsewhere" not in cluster.metadata.keyspaces, "saw the keyspace gone")
    other.shutdown()


def test_functions():
    keyspace = cluster.metadata.keyspaces["py"]
    session.execute("CREATE FUNCTION longer (state text, value text) CALLED ON NULL INPUT RETURNS text LANGUAGE javascript AS "
                    "$$ if (value === 'bad') throw new Error('a bad value'); return value !== null && (state === null || value.length > state.length) ? value : state $$")
    session.execute("CREATE FUNCTION longer (state list<int>, value frozen<tuple<int, text>>) RETURNS NULL ON NULL INPUT RETURNS list<int> LANGUAGE javascript AS 'return state.concat(value[0])'")
    session.execute("CREATE AGGREGATE longest (text) SFUNC longer STYPE text INITCOND 'it''s'")
    function = keyspace.functions["longer(text,text)"]
    assert function.argument_names == ["state", "value"] and function.language == "javascript" and function.called_on_null_input and function.return_type == "text"
    assert len(keyspace.functions) == 2, list(keyspace.functions)
    aggregate = keyspace.aggregates["longest(text)"]
    assert aggregate.state_func == "longer" and aggregate.initial_condition == "'it''s'" and aggregate.final_func is None, aggregate.initial_condition
    session.execute("CREATE TABLE words (id int PRIMARY KEY, word text)")
    insert = session.prepare("INSERT INTO words (id, word) VALUES (?, longer('abc', ?))")
    for n, word in enumerate(["a", "abcdef", None]): session.execute(insert, (n, word))
    assert session.execute("SELECT longest(word) AS w FROM words").one().w == "abcdef"
    # What the driver prints can be run again.
    for text, drop in ((aggregate.as_cql_query(), "AGGREGATE longest"), (function.as_cql_query(), "FUNCTION longer(text, text)")): session.execute("DROP " + drop)
    assert "longer(text,text)" not in keyspace.functions and "longest(text)" not in keyspace.aggregates
    for text in (function.as_cql_query(), aggregate.as_cql_query()): session.execute(text)
    # Another node, which has never loaded the body, and says which function failed.
    other = Cluster([node for node in [h.address for h in cluster.metadata.all_hosts()] if node != address][:1], port=port, protocol_version=5)
    elsewhere = other.connect("py")
    assert elsewhere.execute("SELECT longest(word) FROM words").one()[0] == "abcdef"
    failure = raises(FunctionFailure, lambda: elsewhere.execute("SELECT longer('x', 'bad') FROM words"), "Error: a bad value")
    assert (failure.keyspace, failure.function, failure.arg_types) == ("py", "longer", ["text", "text"]), vars(failure)
    elsewhere.execute("DROP AGGREGATE longest(text)")
    until(lambda: "longest(text)" not in keyspace.aggregates, "saw the aggregate gone")
    other.shutdown()


def test_hosts_and_tokens():
    hosts = cluster.metadata.all_hosts()
    assert len(hosts) == 3 and not any(host.is_up is False for host in hosts), hosts
    assert {(host.datacenter, host.rack, host.release_version) for host in hosts} == {("datacenter1", "rack1", "5.0.0")}
    assert len({host.host_id for host in hosts}) == 3
    assert len(cluster.metadata.token_map.ring) == 48
    session.execute("CREATE TABLE single (id int PRIMARY KEY)")
    assert {host.address for host in cluster.metadata.get_replicas("py", b"\0\0\0\1")} == {host.address for host in hosts}
    session.execute("CREATE KEYSPACE py_one WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    assert len({replica for n in range(50) for replica in cluster.metadata.get_replicas("py_one", n.to_bytes(4, "big"))}) == 3
    # The driver's tokens are the server's.
    for n in range(20): session.execute("INSERT INTO single (id) VALUES (%s)", (n,))
    for row in session.execute("SELECT id, token(id) AS t FROM single"):
        assert cluster.metadata.token_map.token_class.from_key(row.id.to_bytes(4, "big")).value == row.t


def test_tracing():
    session.execute("CREATE TABLE traced (id int PRIMARY KEY, v text)")
    result = session.execute("INSERT INTO traced (id, v) VALUES (1, 'x')", trace=True)
    trace = result.get_query_trace(max_wait_sec=10)
    assert trace.request_type == "Execute CQL3 query" and trace.duration.total_seconds() > 0 and str(trace.coordinator) == address, vars(trace)
    assert trace.parameters["query"] == "INSERT INTO traced (id, v) VALUES (1, 'x')" and trace.parameters["consistency_level"] == "QUORUM", trace.parameters
    assert any("Sending" in event.description for event in trace.events) and trace.client == "127.0.0.1"
    prepared = session.prepare("SELECT * FROM traced WHERE id = ?")
    trace = session.execute(prepared, [1], trace=True).get_query_trace(max_wait_sec=10)
    assert trace.request_type == "Execute CQL3 prepared query" and trace.events, vars(trace)
    batch = BatchStatement()
    batch.add(session.prepare("INSERT INTO traced (id, v) VALUES (?, 'b')"), [2])
    trace = session.execute(batch, trace=True).get_query_trace(max_wait_sec=10)
    assert trace.request_type == "Execute batch of CQL3 queries" and trace.events, vars(trace)


def test_refused_statements():
    raises(SyntaxException, lambda: session.execute("SELEC 1"), "line 1:0 no viable alternative at input 'SELEC'")
    raises(InvalidRequest, lambda: session.execute("SELECT * FROM nope"), "table nope does not exist")
    raises(InvalidRequest, lambda: session.execute(session.prepare("SELECT * FROM traced WHERE id = ?").bind([None])), "Invalid null value in condition for column id")
    # The connection has survived all that.
    assert session.execute("SELECT id FROM traced WHERE id = 1").one().id == 1


def test_timeouts_and_unavailable():
    """Last, since it cuts the third node off and brings it back."""
    session.execute("CREATE TABLE failing (id int PRIMARY KEY, v text)")
    ALL = ConsistencyLevel.ALL
    write = SimpleStatement("INSERT INTO failing (id, v) VALUES (1, 'x')", consistency_level=ALL)
    read = SimpleStatement("SELECT * FROM failing WHERE id = 1", consistency_level=ALL)
    scan = SimpleStatement("SELECT * FROM failing", consistency_level=ALL)
    batch = BatchStatement(BatchType.UNLOGGED, consistency_level=ALL)
    for n in range(3): batch.add("INSERT INTO failing (id, v) VALUES (%s, 'x')", (n,))
    fault("cut=%d" % third)
    try:
        # The node is cut off but still taken for alive: requests wait for it in vain.
        futures = [session.execute_async(statement) for statement in (write, batch)]
        error = raises(WriteTimeout, futures[0].result)
        assert (error.consistency, error.required_responses, error.received_responses, error.write_type) == (ALL, 3, 2, WriteType.SIMPLE), vars(error)
        assert "Operation timed out" in str(error) and "received only 2 responses" in str(error), str(error)
        error = raises(WriteTimeout, futures[1].result)
        assert (error.required_responses, error.received_responses, error.write_type) == (3, 2, WriteType.UNLOGGED_BATCH), vars(error)
        until(lambda: not third_is_up(), "noticed that the node is gone")
        for statement in (write, read, scan, batch):
            error = raises(Unavailable, lambda: session.execute(statement))
            assert (error.consistency, error.required_replicas, error.alive_replicas) == (ALL, 3, 2), vars(error)
            assert "Cannot achieve consistency level ALL" in str(error), str(error)
        for level in (ConsistencyLevel.QUORUM, ConsistencyLevel.ONE, ConsistencyLevel.LOCAL_QUORUM):
            read.consistency_level = level
            assert session.execute(read).one().v == "x"
    finally:
        fault("restore=all")
    until(third_is_up, "found the node again")
    read.consistency_level = ALL
    assert session.execute(read).one().v == "x"
    fault("cut=%d" % third)
    try:
        error = raises(ReadTimeout, lambda: session.execute(read))
        assert (error.consistency, error.required_responses, error.received_responses) == (ALL, 3, 2), vars(error)
        assert error.data_retrieved in (True, False)
    finally:
        fault("restore=all")
    until(third_is_up, "found the node again")


def run(name, test):
    started = time.monotonic()
    try:
        test()
        outcome = "ok"
    except Exception:
        outcome = traceback.format_exc()
    print("%s: %.2f s" % (name, time.monotonic() - started), file=sys.stderr)
    return outcome


wanted = sys.argv[5:]
tests = {name: test for name, test in globals().items() if name.startswith("test_") and (not wanted or name in wanted)}
print(json.dumps({name: run(name, test) for name, test in tests.items()}, indent=1))
cluster.shutdown()
