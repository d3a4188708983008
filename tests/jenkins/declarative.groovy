// SPDX-License-Identifier: GPL-2.0-or-later
// Runs a declarative Jenkinsfile: its blocks as in the handbook of Jenkins, "Pipeline Syntax", and of the
// steps those that ours has. What is not known in its place is an error, as it is on a server. Steps of
// `sh` are real. One line of JSON for each cell of the matrix:
//   {"cell": {"HOST": "kvm"}, "agent": "kvm", "result": "UNSTABLE", "message": "…", "junit": …, "archived": …}
// Arguments: the Jenkinsfile, and a parameter of the build as NAME=VALUE each.
import groovy.json.JsonOutput
import org.codehaus.groovy.control.CompilerConfiguration

// A block whose words are the methods of its class, and whose names are parameters and variables.
class Block {
    Build build

    Object within(Closure body, Object block = this) {
        Closure copy = body.clone()
        copy.delegate = block
        copy.resolveStrategy = Closure.DELEGATE_ONLY
        copy()
    }

    Map getParams() { build.params }
    Map getEnv() { build.variables }

    Object propertyMissing(String name) {
        if (!build.variables.containsKey(name)) { throw new MissingPropertyException(name, getClass()) }
        build.variables[name]
    }
}

// A directive of which nothing but its words is looked at.
class Words extends Block {
    Set<String> known

    Object methodMissing(String name, Object given) {
        if (!(name in known)) { throw new MissingMethodException(name, getClass(), given as Object[]) }
    }
}

class Parameters extends Block {
    void string(Map given) {
        assert given.keySet() == ['name', 'defaultValue', 'description'] as Set
        build.params.putIfAbsent(given.name, given.defaultValue)
    }
}

class Agent extends Block {
    String chosen
    void label(Object name) { chosen = name }
}

class Axis extends Block {
    String called
    List<String> all = []
    void name(String given) { called = given }
    void values(String... given) { all.addAll(given) }
}

class Axes extends Block {
    List<Axis> all = []
    void axis(Closure body) {
        all << new Axis(build: build)
        within(body, all.last())
    }
}

class When extends Block {
    List<Boolean> conditions = []
    boolean beforeAgent
    void beforeAgent(boolean given) { beforeAgent = given }
    void expression(Closure body) {
        Closure copy = body.clone()
        copy.delegate = this
        copy.resolveStrategy = Closure.DELEGATE_ONLY
        conditions << (copy() as boolean)
    }
    void anyOf(Closure body) {
        When inner = new When(build: build)
        within(body, inner)
        conditions << inner.conditions.any()
    }
}

class Environment extends Block {
    void propertyMissing(String name, Object value) { build.variables[name] = value as String }
}

class Steps extends Block {
    void script(Closure body) { within(body) }

    Object withEnv(List<Object> added, Closure body) {
        Map before = build.variables.clone()
        added.each { String one = it; build.variables[one.takeBefore('=')] = one.substring(one.indexOf('=') + 1) }
        Object made = within(body)
        build.variables = before
        made
    }

    void sh(String script) { shell(script, false) }
    int sh(Map given) {
        assert given.keySet() == ['returnStatus', 'script'] as Set && given.returnStatus
        shell(given.script, true)
    }

    private int shell(String script, boolean codeWanted) {
        // As Jenkins does it: parameters and axes are in the environment.
        ProcessBuilder process = new ProcessBuilder('sh', '-xe', '-c', script).inheritIO()
        process.redirectOutput(ProcessBuilder.Redirect.to(new File('/dev/stderr')))
        (build.params + build.variables).each { name, value -> process.environment()[name] = value as String }
        int code = process.start().waitFor()
        if (code != 0 && !codeWanted) { throw new Failed("script returned exit code ${code}") }
        code
    }

    void unstable(String message) {
        build.cell.result = 'UNSTABLE'
        build.cell.message = message
    }

    void error(Object message) { throw new Failed(message as String) }

    void junit(Map given) {
        assert given.keySet() - ['testResults', 'allowEmptyResults', 'skipMarkingBuildUnstable'] == [] as Set
        build.cell.junit = given.testResults as String
    }

    void archiveArtifacts(Map given) {
        assert given.keySet() - ['artifacts', 'allowEmptyArchive'] == [] as Set
        build.cell.archived = given.artifacts as String
    }
}

class Failed extends RuntimeException {
    Failed(String message) { super(message) }
}

class Post extends Block {
    void always(Closure body) { within(body, new Steps(build: build)) }
}

class Stage extends Block {
    Closure environment, steps, post
    boolean branched
    void environment(Closure body) { environment = body }
    void options(Closure body) { within(body, new Words(build: build, known: ['timeout'])) }
    void steps(Closure body) { steps = body }
    void post(Closure body) { post = body }
    void matrix(Closure body) {
        branched = true
        Matrix matrix = new Matrix(build: build)
        within(body, matrix)
        matrix.run()
    }

    void run() {
        if (branched) { return }
        assert steps != null: 'a stage has steps or a matrix'
        if (environment) { within(environment, new Environment(build: build)) }
        try {
            within(steps, new Steps(build: build))
        } catch (Failed failed) {
            build.cell.result = 'FAILURE'
            build.cell.message = failed.message
        } finally {
            if (post) { within(post, new Post(build: build)) }
        }
    }
}

class Stages extends Block {
    void stage(String name, Closure body) {
        Stage stage = new Stage(build: build)
        within(body, stage)
        stage.run()
    }
}

class Matrix extends Block {
    Closure when, agent, stages
    Axes axes
    void axes(Closure body) { within(body, axes = new Axes(build: build)) }
    void when(Closure body) { when = body }
    void agent(Closure body) { agent = body }
    void stages(Closure body) { stages = body }

    void run() {
        assert axes && stages: 'a matrix has axes and stages'
        axes.all*.all.combinations().each { List values ->
            Map cell = [axes.all*.called, values].transpose().collectEntries()
            build.variables = new TreeMap(System.getenv() + cell)
            build.cell = [cell: cell, result: 'SUCCESS']
            When condition = new When(build: build)
            if (when) { within(when, condition) }
            if (!condition.conditions.every()) { return }
            Agent chosen = new Agent(build: build)
            within(agent, chosen)
            build.cell.agent = chosen.chosen
            within(stages, new Stages(build: build))
            println JsonOutput.toJson(build.cell)
        }
    }
}

class Pipeline extends Block {
    final String none = 'none'
    void agent(String given) { assert given == none }
    void parameters(Closure body) { within(body, new Parameters(build: build)) }
    void triggers(Closure body) { within(body, new Words(build: build, known: ['cron'])) }
    void options(Closure body) { within(body, new Words(build: build, known: ['disableConcurrentBuilds'])) }
    void stages(Closure body) { within(body, new Stages(build: build)) }
}

class Build {
    Map params = [:]
    Map variables = [:]
    Map cell
    void pipeline(Closure body) {
        Pipeline block = new Pipeline(build: this)
        block.within(body)
    }
}

Build build = new Build()
args.drop(1).each { build.params[it.takeBefore('=')] = it.substring(it.indexOf('=') + 1) }
CompilerConfiguration configuration = new CompilerConfiguration(scriptBaseClass: DelegatingScript.name)
DelegatingScript script = new GroovyShell(Build.classLoader, new Binding(), configuration).parse(new File(args[0]))
script.setDelegate(build)
script.run()
