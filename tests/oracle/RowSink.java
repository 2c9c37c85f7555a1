import java.io.IOException;
import java.util.Set;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.sink.DynamicTableSink;
import org.apache.flink.table.connector.sink.SinkV2Provider;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.DynamicTableSinkFactory;
import org.apache.flink.types.Row;

/** The connector of sinks: it prints a line for each row. */
public final class RowSink implements DynamicTableSinkFactory {
    static final String CONNECTOR = "oracle";

    /** Where rows go: the table, the kind of the change, the row as JSON. */
    static volatile Taker taker = (table, kind, row) ->
        System.out.println(table + ' ' + kind + ' ' + row);

    /** Takes the rows of all sinks. */
    interface Taker {
        void take(String table, String kind, String row);
    }

    @Override
    public String factoryIdentifier() {
        return CONNECTOR;
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of();
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of();
    }

    @Override
    public DynamicTableSink createDynamicTableSink(Context context) {
        String table = context.getObjectIdentifier().getObjectName();
        return new Table(table, context.getPhysicalRowDataType());
    }

    static void print(String table, Row row) {
        StringBuilder json = new StringBuilder();
        Json.writeRow(row, json);
        taker.take(table, row.getKind().shortString(), json.toString());
    }

    private record Table(String name, org.apache.flink.table.types.DataType type)
            implements DynamicTableSink {
        @Override
        public ChangelogMode getChangelogMode(ChangelogMode requested) {
            return requested;
        }

        @Override
        public SinkRuntimeProvider getSinkRuntimeProvider(Context context) {
            return SinkV2Provider.of(new Printer(name, context.createDataStructureConverter(type)));
        }

        @Override
        public DynamicTableSink copy() {
            return this;
        }

        @Override
        public String asSummaryString() {
            return CONNECTOR;
        }
    }

    private record Printer(String table, DynamicTableSink.DataStructureConverter converter)
            implements Sink<RowData> {
        @Override
        public SinkWriter<RowData> createWriter(WriterInitContext context) throws IOException {
            return new SinkWriter<>() {
                @Override
                public void write(RowData row, SinkWriter.Context context) {
                    print(table, (Row) converter.toExternal(row));
                }

                @Override
                public void flush(boolean endOfInput) {}

                @Override
                public void close() {}
            };
        }
    }
}
