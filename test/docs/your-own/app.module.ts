/** What the README's examples call their own NestJS module. It holds nothing. */

/** A module. */
export class AppModule {}
