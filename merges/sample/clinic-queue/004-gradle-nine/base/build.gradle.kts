plugins {
    kotlin("jvm") version "2.0.21"
    id("org.flywaydb.flyway") version "10.20.0"
    application
}

group = "clinic"

repositories { mavenCentral() }

dependencies {
    implementation(libs.http)
    implementation(libs.flyway)
    runtimeOnly(libs.h2)
    testImplementation(kotlin("test"))
}

application { mainClass = "queue.ServerKt" }

kotlin { jvmToolchain(21) }

task("dist", Copy::class) {
    from("src/main/dist")
    into("build/dist")
}
