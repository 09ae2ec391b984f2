plugins {
    kotlin("jvm") version "2.0.21"
    id("org.flywaydb.flyway") version "11.8.0"
    application
}

group = "clinic"

repositories { mavenCentral() }

dependencies {
    implementation(libs.http)
    implementation(libs.flyway.core)
    runtimeOnly(libs.h2)
    testImplementation(kotlin("test"))
}

application { mainClass = "queue.ServerKt" }

kotlin { jvmToolchain(21) }

tasks.create<Copy>("dist") {
    from("src/main/dist", "docs")
    into("build/dist")
}
