import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.TableResult;

/** What a program costs Flink, tuned as in its own configuration of the Nexmark suite. */
final class Bench {
    private Bench() {}

    /** Runs a program several times and prints what each run took: the first starts cold. */
    static void run(List<String> arguments) throws Exception {
        List<String> statements = Program.statements(Files.readString(Path.of(arguments.get(0))));
        int rounds = Integer.parseInt(arguments.get(1));
        Path checkpoints = Files.createTempDirectory("checkpoints");
        for (int round = 0; round < rounds; round++) {
            TableEnvironment flink = environment(checkpoints);
            double cpu = cpuSeconds();
            long clock = System.nanoTime();
            for (String statement : statements) {
                TableResult result = flink.executeSql(statement);
                if (result.getJobClient().isPresent()) {
                    result.await();
                }
            }
            System.out.println(String.format(Locale.ROOT, "round %d cpu %.3f clock %.3f", round,
                cpuSeconds() - cpu, (System.nanoTime() - clock) / 1e9));
        }
    }

    private static TableEnvironment environment(Path checkpoints) {
        Configuration settings = new Configuration();
        settings.setString("parallelism.default", "1");
        settings.setString("rest.port", "0");
        settings.setString("state.backend.type", "hashmap");
        settings.setString("execution.checkpointing.interval", "10s");
        settings.setString("execution.checkpointing.mode", "EXACTLY_ONCE");
        settings.setString("execution.checkpointing.storage", "filesystem");
        settings.setString("execution.checkpointing.dir", checkpoints.toUri().toString());
        settings.setString("pipeline.object-reuse", "true");
        settings.setString("taskmanager.memory.managed.size", "1g");
        settings.setString("taskmanager.memory.network.min", "256m");
        settings.setString("taskmanager.memory.network.max", "256m");
        settings.setString("table.exec.mini-batch.enabled", "true");
        settings.setString("table.exec.mini-batch.allow-latency", "2s");
        settings.setString("table.exec.mini-batch.size", "50000");
        settings.setString("table.optimizer.distinct-agg.split.enabled", "true");
        settings.setString("table.local-time-zone", "UTC");
        return TableEnvironment.create(
            EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(settings).build());
    }

    private static double cpuSeconds() {
        var machine = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        return machine.getProcessCpuTime() / 1e9;
    }
}
